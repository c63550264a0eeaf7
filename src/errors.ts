/**
 * Every error of Holdfast on one page, sorted by the question a caller has after a failure:
 * *did it happen?*
 *
 *   not-applied  It did not happen and never will. Trying again is safe.
 *   unknown      It may have happened, or may still happen. Trying again is safe only under the same
 *                operation id. Never treat this as "failed".
 *   invalid      It cannot happen as asked: the arguments, the configuration or the stored data are
 *                wrong. Trying again without a change gives the same answer.
 *
 * A refusal (held, full, absent, conflict) is an answer, not an error: it is a return value.
 */

/** Did the operation take effect? See the top of this file. */
export type Outcome = 'not-applied' | 'unknown' | 'invalid'

export interface ErrorOptions {
  readonly cause?: unknown
  /** Facts for a program: names, limits, values. Never secrets, never more than a few hundred bytes. */
  readonly details?: Readonly<Record<string, unknown>>
}

// The registry of symbols is global, so errors are recognised across two copies of the package.
const brand: unique symbol = Symbol.for('holdfast.error')

/** The base of every error thrown on purpose. `code` is stable; `message` is for people. */
export class HoldfastError extends Error {
  readonly code: string
  readonly outcome: Outcome
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: string, outcome: Outcome, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
    this.code = code
    this.outcome = outcome
    this.details = options.details ?? {}
    Object.defineProperty(this, brand, { value: true })
  }
}

/** Is this an error of Holdfast, even of another copy of the package? */
export function isHoldfastError(error: unknown): error is HoldfastError {
  return typeof error === 'object' && error !== null && brand in error
}

/**
 * What an error says about the operation that threw it. An error that is not ours says nothing, and
 * nothing is `unknown`.
 */
export function outcomeOf(error: unknown): Outcome {
  return isHoldfastError(error) ? error.outcome : 'unknown'
}

// ── invalid: it cannot happen as asked ─────────────────────────────────────────────────────────────

/** An argument is outside its range. The message names the argument, the value and the expectation. */
export class InvalidArgumentError extends HoldfastError {
  constructor(message: string, options?: ErrorOptions) {
    super('invalid-argument', 'invalid', message, options)
  }
}

/** A payload does not match its schema; `details.issues` lists where. */
export class SchemaMismatchError extends HoldfastError {
  constructor(message: string, options?: ErrorOptions) {
    super('schema-mismatch', 'invalid', message, options)
  }
}

/** The chosen driver cannot keep a promise that the feature needs. Thrown at start, by name. */
export class CapabilityMissingError extends HoldfastError {
  constructor(message: string, options?: ErrorOptions) {
    super('capability-missing', 'invalid', message, options)
  }
}

/** Holdfast is set up in a way that cannot work: a network file system, a missing package, a missing path. */
export class ConfigurationError extends HoldfastError {
  constructor(message: string, options?: ErrorOptions) {
    super('configuration', 'invalid', message, options)
  }
}

/** Stored bytes are damaged. Nothing was changed; the message says what can still be done. */
export class CorruptDataError extends HoldfastError {
  constructor(message: string, options?: ErrorOptions) {
    super('corrupt-data', 'invalid', message, options)
  }
}

/** Stored by a newer version of Holdfast than this one. Nothing was changed; upgrade this process. */
export class FormatTooNewError extends HoldfastError {
  constructor(message: string, options?: ErrorOptions) {
    super('format-too-new', 'invalid', message, options)
  }
}

/** An idempotency key or operation id came again with other content. */
export class KeyReusedError extends HoldfastError {
  constructor(message: string, options?: ErrorOptions) {
    super('key-reused', 'invalid', message, options)
  }
}

// ── not applied: it did not happen ─────────────────────────────────────────────────────────────────

/** The other side could not be reached, or refused before doing anything. */
export class UnavailableError extends HoldfastError {
  constructor(message: string, options?: ErrorOptions) {
    super('unavailable', 'not-applied', message, options)
  }
}

/** The store stayed busy for the whole time allowed: another process holds its write lock. */
export class StoreBusyError extends HoldfastError {
  constructor(message: string, options?: ErrorOptions) {
    super('store-busy', 'not-applied', message, options)
  }
}

/** A stated limit was reached: queue full, too many waiters, payload too large. */
export class LimitExceededError extends HoldfastError {
  constructor(message: string, options?: ErrorOptions) {
    super('limit-exceeded', 'not-applied', message, options)
  }
}

/** The caller aborted before anything was done. */
export class CancelledError extends HoldfastError {
  constructor(message: string, options?: ErrorOptions) {
    super('cancelled', 'not-applied', message, options)
  }
}

/** The object was closed, or is closing and takes no new work. */
export class ClosedError extends HoldfastError {
  constructor(message: string, options?: ErrorOptions) {
    super('closed', 'not-applied', message, options)
  }
}

/** The right (lock, leadership, ownership) is gone. Stop the protected work; old tokens are refused. */
export class LeaseLostError extends HoldfastError {
  constructor(message: string, options?: ErrorOptions) {
    super('lease-lost', 'not-applied', message, options)
  }
}

// ── unknown: it may have happened ──────────────────────────────────────────────────────────────────

/** The request left and no answer came. */
export class OutcomeUnknownError extends HoldfastError {
  constructor(message: string, options?: ErrorOptions) {
    super('outcome-unknown', 'unknown', message, options)
  }
}

/**
 * The time allowed ran out. `outcome` is `not-applied` if the work had provably not begun, else
 * `unknown`: a timeout alone never proves that nothing happened.
 */
export class DeadlineExceededError extends HoldfastError {
  constructor(outcome: 'not-applied' | 'unknown', message: string, options?: ErrorOptions) {
    super('deadline-exceeded', outcome, message, options)
  }
}
