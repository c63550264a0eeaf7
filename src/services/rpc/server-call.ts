/** One call on the server's side: what the procedure may know of it, and where its answer goes. */
import type { Headers, Request } from './request.ts'
import type { ServerSession } from './server-session.ts'

/** What a procedure is told beside its input. Hand it on as `parent` to the calls it makes. */
export interface RpcCall {
  /** Aborts when nobody waits for the answer any more: cancelled, deadline passed, connection gone. */
  readonly signal: AbortSignal
  /** Time left to answer, 0 or more. */
  remainingMs(): number
  readonly headers: Headers
  /** What the caller calls itself. Not proven by anything. */
  readonly caller: string
  /** The same for all attempts of a call. */
  readonly callId: string
  /** 1 for the first attempt. */
  readonly attempt: number
}

export interface ServerCall {
  readonly id: number
  readonly session: ServerSession
  readonly request: Request
  /** A view of what was received; copied if the call must wait. */
  payload: Uint8Array
  readonly deadlineMs: number
  readonly startedMs: number
  /** Nobody waits for the answer: it was sent, or the caller has gone. */
  over: boolean
  /** Made when the procedure first asks for its signal: most never do, and it is not free. */
  controller: AbortController | undefined
  abortedBy: unknown
}

export function callView(call: ServerCall, nowMs: () => number): RpcCall {
  return {
    get signal() {
      if (call.controller === undefined) {
        call.controller = new AbortController()
        if (call.abortedBy !== undefined) call.controller.abort(call.abortedBy)
      }
      return call.controller.signal
    },
    remainingMs: () => Math.max(0, call.deadlineMs - nowMs()),
    headers: call.request.headers,
    caller: call.session.caller,
    callId: call.request.callId,
    attempt: call.request.attempt,
  }
}

export function abortCall(call: ServerCall, reason: unknown): void {
  call.over = true
  call.abortedBy ??= reason
  call.controller?.abort(reason)
}
