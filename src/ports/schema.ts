/**
 * A schema is anything that follows Standard Schema v1 (https://standardschema.dev): zod, valibot,
 * arktype and others. Only the part used here is declared, so Holdfast depends on none of them.
 */
import { SchemaMismatchError } from '../errors.ts'

export interface Schema<Output> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    validate(value: unknown): SchemaResult<Output> | Promise<SchemaResult<Output>>
  }
}

export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] }

export interface SchemaIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/**
 * @param subject what is being read, for the message: `payload of queue "orders"`.
 * @throws {SchemaMismatchError} with at most 20 issues in `details.issues`.
 */
export async function parseWith<Output>(
  schema: Schema<Output> | undefined,
  value: unknown,
  subject: string,
): Promise<Output> {
  if (schema === undefined) return value as Output
  const result = await schema['~standard'].validate(value)
  if (result.issues === undefined) return result.value
  const issues = result.issues.slice(0, 20).map(describe)
  throw new SchemaMismatchError(`${subject} does not match its schema: ${issues[0]}`, {
    details: { issues },
  })
}

function describe({ message, path = [] }: SchemaIssue): string {
  const steps = path.map((step) => String(typeof step === 'object' ? step.key : step))
  return steps.length === 0 ? message : `${steps.join('.')}: ${message}`
}
