/**
 * One call of the user's code, with a deadline, and its ending in the terms of the saga: done, refused,
 * or failed with what is known about the effect. The call may go on after its time is up: nobody can stop
 * running code. That is why its outcome is then unknown.
 */
import { DeadlineExceededError, InvalidArgumentError, outcomeOf } from '../../errors.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import type { Ending } from './course.ts'
import { isRefusal } from './refusal.ts'
import { stepError } from './state.ts'

const resultLengthMax = 16_384

export interface AttemptOptions {
  readonly timeoutMs: number
  /** Ends the attempt early; the reason becomes its error. */
  readonly signal: AbortSignal
}

export async function attempt(
  runtime: Runtime,
  work: (signal: AbortSignal) => unknown,
  { timeoutMs, signal }: AttemptOptions,
): Promise<Ending> {
  const stop = new AbortController()
  const relay = (): void => stop.abort(signal.reason)
  signal.addEventListener('abort', relay, { once: true })
  const timer = runtime.timers.schedule(timeoutMs, () =>
    stop.abort(new DeadlineExceededError('unknown', `no answer within ${timeoutMs} ms`)),
  )
  try {
    if (signal.aborted) relay()
    const value = await Promise.race([call(work, stop.signal), aborted(stop.signal)])
    if (isRefusal(value)) return { kind: 'refused', reason: value.message }
    return { kind: 'done', result: asStored(value) }
  } catch (error) {
    if (isRefusal(error)) return { kind: 'refused', reason: error.message }
    // Cut short from outside: whatever the error says, the call had left.
    const outcome = stop.signal.aborted && outcomeOf(error) !== 'invalid' ? 'unknown' : undefined
    return { kind: 'failed', error: stepError(error, outcome ?? outcomeOf(error)) }
  } finally {
    timer.cancel()
    signal.removeEventListener('abort', relay)
  }
}

async function call(work: (signal: AbortSignal) => unknown, signal: AbortSignal): Promise<unknown> {
  return await work(signal)
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = (): void => reject(signal.reason)
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
}

/** Later steps see what a step would see after a restart: the result as JSON. */
function asStored(value: unknown): unknown {
  const text = toText(value)
  if (text.length <= resultLengthMax) return JSON.parse(text)
  throw tooLate(`result is ${text.length} characters long; at most ${resultLengthMax} are kept`)
}

function toText(value: unknown): string {
  try {
    return JSON.stringify(value ?? null) ?? 'null'
  } catch (cause) {
    throw tooLate('result is not JSON', cause)
  }
}

/** The effect has happened, so this is no reason to say that it cannot. */
function tooLate(message: string, cause?: unknown): Error {
  return new Error(message, { cause: new InvalidArgumentError(message, { cause }) })
}
