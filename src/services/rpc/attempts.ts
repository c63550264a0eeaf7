/**
 * One call as its caller sees it: one attempt, or several if the policy, the budget, the deadline and
 * above all the outcome of the last one allow it. Each further attempt carries the same call id and goes
 * to another endpoint if there is one.
 */
import {
  CancelledError,
  DeadlineExceededError,
  type HoldfastError,
  isHoldfastError,
  OutcomeUnknownError,
} from '../../errors.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import type { Choice } from '../balancing/balancer.ts'
import type { Channels } from './channels.ts'
import type { RequestParts } from './request.ts'
import { errorOfAttempts, mayRetry, type RetryPolicy, retryAfterMsOf } from './retry.ts'
import { EndpointUnreachableError, RpcApplicationError } from './rpc-error.ts'

export interface CallPlan {
  readonly service: string
  readonly idempotent: boolean
  /** Monotonic. */
  readonly deadlineMs: number
  /** Until then a missing endpoint or connection is waited for. Monotonic. */
  readonly readyUntilMs: number
  readonly signals: readonly AbortSignal[]
  readonly parts: RequestParts
}

export interface Attempts {
  run(plan: CallPlan): Promise<Uint8Array>
}

/** Endpoints that failed this call. Most calls fail nowhere, so there is no set to begin with. */
interface Tried {
  ids: ReadonlySet<string> | undefined
}

export function attempts(
  runtime: Runtime,
  channels: Channels,
  retry: RetryPolicy | undefined,
): Attempts {
  const { clock, timers, random } = runtime

  async function once(plan: CallPlan, attempt: number, tried: Tried): Promise<Uint8Array> {
    const choice = channels.pick(tried.ids)
    if (choice === undefined) {
      throw new EndpointUnreachableError(`no endpoint of ${plan.service} is available`)
    }
    const startedMs = clock.monotonicMs()
    const parts = attempt === 1 ? plan.parts : { ...plan.parts, attempt }
    try {
      const way = channels.channel(choice.endpoint)
      const answer = await way.request(parts, plan.deadlineMs, plan.signals)
      choice.finish('succeeded', clock.monotonicMs() - startedMs)
      return answer
    } catch (error) {
      choice.finish(resultOf(error, plan), clock.monotonicMs() - startedMs)
      tried.ids = new Set([...(tried.ids ?? []), choice.endpoint.id])
      throw error
    }
  }

  /** Until the list changes, or for a short random while. @throws {CancelledError} */
  async function untilReady(plan: CallPlan, error: HoldfastError): Promise<void> {
    const leftMs = plan.readyUntilMs - clock.monotonicMs()
    const shortMs = Math.max(retryAfterMsOf(error), 20 + 80 * random.fraction('rpc-wait-for-ready'))
    const changed = new AbortController()
    const forget = channels.whenChanged(() => changed.abort())
    const signal = AbortSignal.any([changed.signal, ...plan.signals])
    await sleep(timers, Math.min(leftMs, shortMs), { signal }).catch(() => {})
    forget()
    throwIfAborted(plan)
  }

  /** @returns whether another attempt may be made; if so the pause before it is over. */
  async function again(
    plan: CallPlan,
    error: HoldfastError,
    attempt: number,
    policy: RetryPolicy,
  ): Promise<boolean> {
    if (error.code === 'closed') return false // this client, by its owner
    if (attempt >= policy.attemptsMax || !mayRetry(error, plan.idempotent)) return false
    const pauseMs = Math.max(policy.backoff(attempt), retryAfterMsOf(error))
    // An attempt that cannot end in time is not begun, nor a pause before one.
    if (clock.monotonicMs() + pauseMs >= plan.deadlineMs || aborted(plan)) return false
    if (!policy.budget.tryTake()) return false
    const signal = plan.signals.length === 0 ? undefined : AbortSignal.any([...plan.signals])
    await sleep(timers, pauseMs, { signal }).catch(() => {})
    return !aborted(plan)
  }

  return {
    async run(plan) {
      throwIfAborted(plan)
      retry?.budget.requested()
      const errors: HoldfastError[] = []
      const tried: Tried = { ids: undefined }
      for (let attempt = 1; ; attempt++) {
        try {
          return await once(plan, attempt, tried)
        } catch (cause) {
          const error = asHoldfastError(cause)
          const waits = error instanceof EndpointUnreachableError
          if (waits && clock.monotonicMs() < plan.readyUntilMs) {
            await untilReady(plan, error)
            attempt -= 1
            if (clock.monotonicMs() < plan.deadlineMs) continue
            throw new DeadlineExceededError('not-applied', error.message, { cause: error })
          }
          errors.push(error)
          if (retry !== undefined && (await again(plan, error, attempt, retry))) continue
          throw errorOfAttempts(errors)
        }
      }
    },
  }
}

function aborted({ signals }: CallPlan): boolean {
  return signals.some((signal) => signal.aborted)
}

function throwIfAborted({ signals }: CallPlan): void {
  const signal = signals.find((each) => each.aborted)
  if (signal === undefined) return
  throw new CancelledError('the caller aborted before the request left', { cause: signal.reason })
}

function asHoldfastError(error: unknown): HoldfastError {
  return isHoldfastError(error)
    ? error
    : new OutcomeUnknownError('the call failed', { cause: error })
}

/** What a failure says about the endpoint. A refusal by the application says that it works. */
function resultOf(error: unknown, plan: CallPlan): Parameters<Choice['finish']>[0] {
  if (aborted(plan)) return 'cancelled'
  if (!isHoldfastError(error)) return 'failed'
  if (error instanceof RpcApplicationError || error.outcome === 'invalid') return 'succeeded'
  return error.code === 'limit-exceeded' || error.code === 'closed' ? 'cancelled' : 'failed'
}
