/**
 * A service is a list of procedures with the types of what goes in and out: plain data that both sides
 * import, so that neither needs generated code and the compiler sees a wrong call before anyone makes it.
 */
import { InvalidArgumentError } from '../../errors.ts'
import { requireInteger, requireText } from '../../ports/arguments.ts'
import type { Schema } from '../../ports/schema.ts'

export interface Procedure<Input, Output> {
  /** Checked by the server on arrival. Without one the value comes as it was sent. */
  readonly input?: Schema<Input> | undefined
  /** Checked by the client on arrival. */
  readonly output?: Schema<Output> | undefined
  /** Executing it twice is as good as once, so that a retry is allowed when the outcome is unknown. */
  readonly idempotent: boolean
}

export interface ProcedureOptions<Input, Output> {
  readonly input?: Schema<Input>
  readonly output?: Schema<Output>
  /** Default `false`: at most once. */
  readonly idempotent?: boolean
}

export function procedure<Input = unknown, Output = unknown>(
  options: ProcedureOptions<Input, Output> = {},
): Procedure<Input, Output> {
  return { input: options.input, output: options.output, idempotent: options.idempotent ?? false }
}

export type Procedures = Readonly<Record<string, Procedure<unknown, unknown>>>

export interface Service<P extends Procedures> {
  readonly name: string
  readonly version: number
  readonly procedures: P
}

export interface ServiceOptions<P extends Procedures> {
  /** 1 to 65_535. A server answers only versions it serves; raise it for incompatible changes. */
  readonly version: number
  readonly procedures: P
}

export type InputOf<P> = P extends Procedure<infer Input, unknown> ? Input : never
export type OutputOf<P> = P extends Procedure<unknown, infer Output> ? Output : never

const nameLengthMax = 100
const namePattern = /^[A-Za-z][A-Za-z0-9._-]*$/
/** A client is an object with one method for each procedure, so these names are taken. */
const reserved: ReadonlySet<string> = new Set(['close', 'then', 'constructor', 'toJSON'])

/**
 * @param name 1 to 100 letters, digits, `.`, `_` or `-`, beginning with a letter.
 * @throws {InvalidArgumentError} a name or the version is outside its range.
 */
export function service<P extends Procedures>(
  name: string,
  options: ServiceOptions<P>,
): Service<P> {
  requireName('service', name)
  requireInteger('version', options.version, 1, 65_535)
  for (const procedureName of Object.keys(options.procedures)) {
    requireName('procedure', procedureName)
    if (reserved.has(procedureName)) {
      throw new InvalidArgumentError(`procedure "${procedureName}" has a reserved name`)
    }
  }
  return { name, version: options.version, procedures: options.procedures }
}

function requireName(subject: string, name: string): void {
  requireText(subject, name, nameLengthMax)
  if (namePattern.test(name)) return
  throw new InvalidArgumentError(
    `${subject} "${name}" must be letters, digits, ".", "_" or "-", beginning with a letter`,
  )
}
