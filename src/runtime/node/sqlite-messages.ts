/**
 * What the caller's thread and the file's own thread say to each other. Both run the same build in
 * the same process, so this is the one wire in Holdfast without a version. Messages of one tick travel
 * together: a hop between threads costs more than most batches.
 */
import {
  CancelledError,
  ClosedError,
  ConfigurationError,
  CorruptDataError,
  FormatTooNewError,
  type HoldfastError,
  InvalidArgumentError,
  isHoldfastError,
  LimitExceededError,
  OutcomeUnknownError,
  StoreBusyError,
  UnavailableError,
} from '../../errors.ts'
import type { SqlBatch, SqlOutcome } from '../sql.ts'
import type { SqliteLibraryName } from './sqlite-library.ts'
import type { GateCells } from './thread-gate.ts'

export interface WorkerSettings {
  readonly path: string
  readonly libraries: readonly SqliteLibraryName[]
  readonly bootId: string
  readonly gate: GateCells
}

export type Request =
  | {
      readonly kind: 'open'
      readonly id: number
      readonly migrations: readonly string[]
      readonly busyMs: number
    }
  | {
      readonly kind: 'run'
      readonly id: number
      readonly batch: SqlBatch
      readonly busyMs: number
    }
  /** The topics somebody in this process waits for, all of them each time. */
  | { readonly kind: 'listen'; readonly topics: readonly string[] }
  | { readonly kind: 'close'; readonly id: number }

export type Reply =
  | { readonly kind: 'done'; readonly id: number; readonly outcome?: SqlOutcome }
  | { readonly kind: 'failed'; readonly id: number; readonly error: WireError }
  /** Another process committed under these topics. */
  | { readonly kind: 'hinted'; readonly topics: readonly string[] }
  /** Something became weaker without an error to anyone: told to the observer. */
  | { readonly kind: 'noted'; readonly event: string; readonly reason: string }

export interface WireError {
  readonly code: string
  readonly message: string
  readonly details: Readonly<Record<string, unknown>>
}

const classes: Readonly<
  Record<
    string,
    new (
      message: string,
      options: { readonly details: WireError['details'] },
    ) => HoldfastError
  >
> = {
  'invalid-argument': InvalidArgumentError,
  configuration: ConfigurationError,
  'corrupt-data': CorruptDataError,
  'format-too-new': FormatTooNewError,
  unavailable: UnavailableError,
  'store-busy': StoreBusyError,
  'limit-exceeded': LimitExceededError,
  cancelled: CancelledError,
  closed: ClosedError,
  'outcome-unknown': OutcomeUnknownError,
}

/** Errors lose their class between threads, so the code travels and the class is found again. */
export function encodeError(error: unknown): WireError {
  if (isHoldfastError(error)) {
    return { code: error.code, message: error.message, details: error.details }
  }
  const message = error instanceof Error ? error.message : String(error)
  return { code: 'outcome-unknown', message: `unexpected: ${message}`, details: {} }
}

export function decodeError({ code, message, details }: WireError): HoldfastError {
  const Known = classes[code] ?? OutcomeUnknownError
  return new Known(message, { details })
}
