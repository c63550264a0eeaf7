/**
 * What an error of SQLite means for a batch that had not begun to commit: never "unknown". A failed
 * `COMMIT` is another question, and the one who commits answers it (`commitFailed`).
 */
import {
  ConfigurationError,
  CorruptDataError,
  type HoldfastError,
  InvalidArgumentError,
  isHoldfastError,
  OutcomeUnknownError,
  StoreBusyError,
  UnavailableError,
} from '../errors.ts'
import { SqliteFailure, sqliteCodes } from './sqlite.ts'

/** The kind of a failure: its result code without the extension. 0 if it is not of SQLite. */
export function failureKind(cause: unknown): number {
  return cause instanceof SqliteFailure ? cause.resultCode & 0xff : 0
}

export function sqlFailure(cause: unknown): HoldfastError {
  if (isHoldfastError(cause)) return cause
  if (!(cause instanceof SqliteFailure)) {
    return new InvalidArgumentError(`SQLite refused the batch: ${text(cause)}`, { cause })
  }
  const options = { cause, details: { sqlite: cause.resultCode } }
  switch (failureKind(cause)) {
    case sqliteCodes.busy:
    case sqliteCodes.locked:
    case sqliteCodes.protocol:
      return new StoreBusyError(`the file is locked: ${cause.message}`, options)
    case sqliteCodes.corrupt:
    case sqliteCodes.notDatabase:
      return new CorruptDataError(`the file is damaged: ${cause.message}`, options)
    case sqliteCodes.full:
      return new UnavailableError(`no space left for the file: ${cause.message}`, options)
    case sqliteCodes.cannotOpen:
    case sqliteCodes.ioError:
    case sqliteCodes.noMemory:
    case sqliteCodes.schema:
      return new UnavailableError(`the file cannot be used: ${cause.message}`, options)
    case sqliteCodes.readOnly:
      return cause.resultCode === sqliteCodes.readOnly
        ? new InvalidArgumentError(`a read batch must not write: ${cause.message}`, options)
        : new UnavailableError(`the file cannot be written: ${cause.message}`, options)
    default:
      return new InvalidArgumentError(`SQLite refused the batch: ${cause.message}`, options)
  }
}

/**
 * A `COMMIT` that failed. Its batch is provably absent in three cases: a deferred constraint was
 * checked before anything was written; or a frame of the write-ahead log could not be written, and
 * the frame that would make the commit valid is the last one. After any other failure (a sync, the
 * shared index) the commit may be found by the next one who reads the log.
 */
export function commitFailed(cause: unknown): HoldfastError {
  if (provablyAbsent(cause)) return sqlFailure(cause)
  return new OutcomeUnknownError(`the commit failed: ${text(cause)}`, { cause })
}

export function provablyAbsent(cause: unknown): boolean {
  const kind = failureKind(cause)
  return (
    kind === sqliteCodes.constraint ||
    kind === sqliteCodes.full ||
    kind === sqliteCodes.busy ||
    (cause instanceof SqliteFailure && cause.resultCode === sqliteCodes.ioErrorWrite)
  )
}

/** An error while opening: here a wrong place is the user's set-up, not a passing failure. */
export function openFailed(path: string, cause: unknown): HoldfastError {
  const kind = failureKind(cause)
  // Not of SQLite and not ours: the file system would not even let us look.
  const refused = kind === 0 && !isHoldfastError(cause)
  if (refused || kind === sqliteCodes.cannotOpen || kind === sqliteCodes.readOnly) {
    return new ConfigurationError(`"${path}" cannot be opened for writing: ${text(cause)}`, {
      cause,
      details: { path },
    })
  }
  return sqlFailure(cause)
}

function text(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
