/** One attempt of a call, from the moment it waits for a connection until it is settled. */
import { type HoldfastError, OutcomeUnknownError, UnavailableError } from '../../errors.ts'
import type { ClientSession } from './client-session.ts'
import type { Outgoing } from './frame-writer.ts'
import type { RequestParts } from './request.ts'

export interface PendingCall {
  readonly request: RequestParts
  readonly deadlineMs: number
  /** 0 until a session gave it one. */
  id: number
  /** Undefined until a session took it. */
  outgoing: Outgoing | undefined
  /** The session that took it. */
  owner: ClientSession | undefined
  resolve(payload: Uint8Array): void
  reject(error: HoldfastError): void
}

/**
 * Why it failed when its connection ended. The server acts on whole messages only, so a request whose
 * last byte never left was not processed; about any other nobody knows.
 */
export function connectionLost(call: PendingCall, cause: HoldfastError): HoldfastError {
  return call.outgoing?.state === 'left'
    ? new OutcomeUnknownError('the connection ended before the answer came', { cause })
    : new UnavailableError('the connection ended before the request had left', { cause })
}
