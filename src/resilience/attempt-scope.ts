/**
 * The context of one attempt, made to cost little: most work never looks at its signal, and an
 * `AbortController` is the dearest part of a call, so it is made when somebody asks for it.
 *
 * It is a class because a getter on a prototype is free, while one on an object literal is not.
 */
import type { AttemptContext, ExecuteOptions } from './policy.ts'

export class AttemptScope implements AttemptContext {
  readonly attempt: number
  readonly remainingMs: () => number | undefined
  readonly #caller: ExecuteOptions
  #controller: AbortController | undefined
  #callerSignal: AbortSignal | undefined
  #state: 'running' | 'finished' | { readonly reason: unknown } = 'running'

  constructor(
    caller: ExecuteOptions,
    attempt: number,
    remainingMs: () => number | undefined = caller.remainingMs ?? unlimited,
  ) {
    this.#caller = caller
    this.attempt = attempt
    this.remainingMs = remainingMs
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (typeof this.#state === 'object') this.#controller.abort(this.#state.reason)
      else if (this.#state === 'running') this.#follow(this.#caller.signal)
    }
    return this.#controller.signal
  }

  /** The same as `signal.aborted`, without making a signal. */
  get isAborted(): boolean {
    return typeof this.#state === 'object' || (this.#state === 'running' && isAborted(this.#caller))
  }

  /** The attempt gave its answer: stops following the caller. The signal never aborts from now on. */
  finish(): void {
    if (this.#state !== 'running') return
    this.#state = 'finished'
    this.#leave()
  }

  /** Nobody wants the answer any more. */
  abort(reason: unknown): void {
    if (this.#state !== 'running') return
    this.#state = { reason }
    this.#leave()
    this.#controller?.abort(reason)
  }

  #follow(signal: AbortSignal | undefined): void {
    if (signal?.aborted) this.abort(signal.reason)
    if (signal === undefined || signal.aborted) return
    this.#callerSignal = signal
    signal.addEventListener('abort', this.#callerAborted, { once: true })
  }

  #leave(): void {
    this.#callerSignal?.removeEventListener('abort', this.#callerAborted)
    this.#callerSignal = undefined
  }

  readonly #callerAborted = (): void => this.abort(this.#callerSignal?.reason)
}

/** Has the caller given up? Between policies it costs no signal. */
export function isAborted(caller: ExecuteOptions): boolean {
  return caller instanceof AttemptScope ? caller.isAborted : caller.signal?.aborted === true
}

function unlimited(): undefined {
  return undefined
}
