/**
 * Errors over a wire: code, outcome and words travel, and become the same class on the other side, so
 * that a caller cannot tell a refusal of the model from one of a real driver.
 */
import {
  CancelledError,
  CapabilityMissingError,
  ConfigurationError,
  CorruptDataError,
  type ErrorOptions,
  type HoldfastError,
  InvalidArgumentError,
  isHoldfastError,
  KeyReusedError,
  LeaseLostError,
  LimitExceededError,
  OutcomeUnknownError,
  StoreBusyError,
  UnavailableError,
} from '../../../errors.ts'

/** The server is not the one to ask: ask elsewhere, on a new connection. */
export const movedCode: string = 'moved'

const classes: Readonly<
  Record<string, new (message: string, options?: ErrorOptions) => HoldfastError>
> = {
  'invalid-argument': InvalidArgumentError,
  'capability-missing': CapabilityMissingError,
  configuration: ConfigurationError,
  'corrupt-data': CorruptDataError,
  'key-reused': KeyReusedError,
  unavailable: UnavailableError,
  'store-busy': StoreBusyError,
  'limit-exceeded': LimitExceededError,
  cancelled: CancelledError,
  'lease-lost': LeaseLostError,
  'outcome-unknown': OutcomeUnknownError,
  // A store that closes behind the server is, for a client, a server that went away.
  closed: UnavailableError,
  [movedCode]: UnavailableError,
}

export interface WireError {
  readonly code: string
  readonly message: string
  /** With `moved`: whom to ask, if known. */
  readonly to?: string
}

/** @returns `undefined` for an error that is nobody's answer: a bug, which must fail the run. */
export function wireError(error: unknown): WireError | undefined {
  if (!isHoldfastError(error)) return undefined
  const { moved, to } = error.details
  if (moved === true) {
    return { code: movedCode, message: error.message, ...(typeof to === 'string' ? { to } : {}) }
  }
  return { code: error.code, message: error.message }
}

export function errorOf({ code, message, to }: WireError): HoldfastError {
  const Known = classes[code] ?? OutcomeUnknownError
  return new Known(message, to === undefined ? {} : { details: { to } })
}
