/**
 * The errors that calls add to the common page. They cross the wire as code, outcome, message and
 * details, and never with a stack: where a server failed is the server's own business.
 */
import {
  CancelledError,
  ClosedError,
  DeadlineExceededError,
  type ErrorOptions,
  HoldfastError,
  InvalidArgumentError,
  KeyReusedError,
  LimitExceededError,
  type Outcome,
  OutcomeUnknownError,
  SchemaMismatchError,
  UnavailableError,
} from '../../errors.ts'

/** The peer sent bytes that are not this protocol. The connection is closed. */
export class RpcProtocolError extends HoldfastError {
  constructor(message: string, options?: ErrorOptions) {
    super('rpc-protocol', 'unknown', message, options)
  }
}

/** No connection to the endpoint: the request never left. `details.retryAfterMs` may say when to try. */
export class EndpointUnreachableError extends UnavailableError {}

/** The server refused before doing anything. `details.retryAfterMs` is its guess of a better time. */
export class OverloadedError extends HoldfastError {
  constructor(message: string, options?: ErrorOptions) {
    super('overloaded', 'not-applied', message, options)
  }
}

/** The server serves no such service, version or procedure. */
export class UnimplementedError extends HoldfastError {
  constructor(message: string, options?: ErrorOptions) {
    super('unimplemented', 'invalid', message, options)
  }
}

/**
 * A refusal by the application, thrown by a procedure: `code` is its own word (`card-declined`). It
 * reaches the caller as this class. With `not-applied` the procedure vouches that nothing happened, and
 * a retry policy may try again; the default `invalid` is never retried.
 */
export class RpcApplicationError extends HoldfastError {
  constructor(code: string, message: string, options: ErrorOptions & { outcome?: Outcome } = {}) {
    super(code, options.outcome ?? 'invalid', message, options)
  }
}

/** A failure on the other side that has no class here; `code` and `outcome` say what is known. */
export class RpcRemoteError extends HoldfastError {}

type Rebuild = (message: string, options: ErrorOptions) => HoldfastError

const known: ReadonlyMap<string, Rebuild> = new Map<string, Rebuild>([
  ['unavailable', (message, options) => new UnavailableError(message, options)],
  ['overloaded', (message, options) => new OverloadedError(message, options)],
  ['unimplemented', (message, options) => new UnimplementedError(message, options)],
  ['limit-exceeded', (message, options) => new LimitExceededError(message, options)],
  ['cancelled', (message, options) => new CancelledError(message, options)],
  ['closed', (message, options) => new ClosedError(message, options)],
  ['invalid-argument', (message, options) => new InvalidArgumentError(message, options)],
  ['schema-mismatch', (message, options) => new SchemaMismatchError(message, options)],
  ['key-reused', (message, options) => new KeyReusedError(message, options)],
  ['outcome-unknown', (message, options) => new OutcomeUnknownError(message, options)],
  ['rpc-protocol', (message, options) => new RpcProtocolError(message, options)],
])

/** The error of this code and outcome, as the class that callers test for if there is one. */
export function rebuildError(
  code: string,
  outcome: Outcome,
  message: string,
  options: ErrorOptions = {},
): HoldfastError {
  if (code === 'deadline-exceeded' && outcome !== 'invalid') {
    return new DeadlineExceededError(outcome, message, options)
  }
  const error = known.get(code)?.(message, options)
  return error?.outcome === outcome ? error : new RpcRemoteError(code, outcome, message, options)
}
