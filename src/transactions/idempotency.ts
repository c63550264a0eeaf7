/**
 * The same request, sent again because no answer came, must get the first answer and not a second
 * charge. Whoever comes first with a key does the work; the others wait for his answer, or are told that
 * it is under way; afterwards everyone reads the stored answer.
 */
import { HoldfastError, isHoldfastError, KeyReusedError } from '../errors.ts'
import { decisions } from '../kernels/decision.ts'
import type { Claimed, Ownership } from '../kernels/decision-contract.ts'
import { type Observer, silentObserver } from '../observability/observer.ts'
import { requireInteger, requireText } from '../ports/arguments.ts'
import type { RecordStore } from '../ports/record-store.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { sleep } from '../runtime/sleep.ts'

const space = 'idempotency'
const pollMs = 250
const workMaxMs = 86_400_000
/** A newer attempt owns the key: its answer is the answer. */
const superseded = 'superseded'

/**
 * Guaranteed: at most one answer per key is ever stored, and it is the one everybody gets; after a
 * takeover the old owner's answer is refused.
 * Not guaranteed: that the work runs once. An owner who dies or is paused beyond `holdMs` is taken over,
 * and the work begins again (from its last recovery point). Put its effect and a note of `attempt.key`
 * into one transaction (`effectOnce`), or send the key along to whoever has the effect. After `retainMs`
 * a key is forgotten.
 */
export interface Idempotency {
  /**
   * @throws {KeyReusedError} the key came before with another operation or fingerprint.
   * What `work` throws passes through. An `invalid` error is an answer: it is stored and thrown again for
   * every repeat, as a `HoldfastError` of the same code. After any other error the key is free at once
   * for the next attempt: nothing is stored, since a repeat may well succeed.
   */
  run<Response>(
    key: string,
    request: IdempotentRequest,
    work: (attempt: IdempotentAttempt) => Promise<Response>,
  ): Promise<IdempotentAnswer<Response>>
}

export interface IdempotencyOptions {
  readonly observer?: Observer
  /** How long an answer is kept. Longer than any client retries. Default one day. */
  readonly retainMs?: number
  /** Time without a sign of life after which another may take over. 100 to 3_600_000. Default 10_000. */
  readonly holdMs?: number
  /**
   * Longest response as JSON, in characters; a longer one is answered by the error `response-not-kept`,
   * the first time too. 1 to 524_288. Default 65_536.
   */
  readonly responseLengthMax?: number
}

export interface IdempotentRequest {
  /** What is asked: `POST /payments`. 1 to 200 characters. */
  readonly operation: string
  /** Stands for the content: a hash, or the canonical body. 1 to 1_000 characters. */
  readonly fingerprint: string
  /** Keys of two tenants never meet. At most 100 characters. Default: none. */
  readonly tenant?: string
  /** How long to wait for another's answer. 0 to 600_000. Default 0. */
  readonly waitMs?: number
  readonly signal?: AbortSignal
}

export interface IdempotentAttempt {
  /** Stands for tenant and key together: send it to others as *their* idempotency key. */
  readonly key: string
  /** Grows with every attempt. */
  readonly epoch: bigint
  /** What the last attempt saved, as JSON; `undefined` if it saved nothing. */
  readonly recoveryPoint: unknown
  /** Aborts when another attempt has taken over, or may. */
  readonly signal: AbortSignal
  /** Saves how far the work is. @throws {LeaseLostError} another attempt has taken over: stop. */
  save(recoveryPoint: unknown): Promise<void>
}

export type IdempotentAnswer<Response> =
  | { readonly status: 'executed' | 'replayed'; readonly response: Response }
  /** Another is at it. 409 in HTTP. */
  | { readonly status: 'in-progress'; readonly retryAfterMs: number }

interface KeyState {
  readonly operation: string
  readonly fingerprint: string
  readonly recoveryPoint?: unknown
}

interface KeyEnd extends Omit<KeyState, 'recoveryPoint'> {
  readonly answer:
    | { readonly kind: 'response'; readonly response: unknown }
    | { readonly kind: 'error'; readonly code: string; readonly message: string }
}

export function idempotency(
  runtime: Runtime,
  records: RecordStore,
  options: IdempotencyOptions = {},
): Idempotency {
  const { observer = silentObserver, retainMs = 86_400_000, holdMs = 10_000 } = options
  const { responseLengthMax = 65_536 } = options
  requireInteger('holdMs', holdMs, 100, 3_600_000)
  requireInteger('responseLengthMax', responseLengthMax, 1, 524_288)
  // Keys that are begun and never finished are forgotten too, or they would pile up.
  const keys = decisions<KeyState, KeyEnd>(runtime, records, {
    space,
    retainMs,
    openRetainMs: retainMs,
  })
  const { machine, process, incarnation } = runtime.identity
  const claim = { owner: `${machine}/${process}/${incarnation}`.slice(-200), holdMs }

  /** Takes the key, or tells why not. One write for a fresh key. */
  async function take(id: string, asked: KeyState): Promise<Claimed<KeyState, KeyEnd>> {
    const opened = await keys.open(id, asked, { claim })
    if (opened.status === 'created' && opened.ownership) {
      return { status: 'claimed', ownership: opened.ownership }
    }
    if (opened.status === 'found') {
      const { instance } = opened
      requireSame(id, asked, instance.status === 'open' ? instance.state : instance.outcome)
    }
    return keys.claim(id, claim)
  }

  async function perform<Response>(
    own: Ownership<KeyState, KeyEnd>,
    asked: KeyState,
    work: (attempt: IdempotentAttempt) => Promise<Response>,
  ): Promise<{ readonly response: Response } | typeof superseded> {
    const { operation, fingerprint } = asked
    const stopRenewing = own.keep(workMaxMs)
    let answer: KeyEnd['answer']
    let failure: { readonly error: unknown } | undefined
    try {
      const response = await work({
        key: own.id,
        epoch: own.epoch,
        recoveryPoint: own.state.recoveryPoint,
        signal: own.signal,
        save: (recoveryPoint) => own.save({ operation, fingerprint, recoveryPoint }),
      })
      answer = kept(own.id, response, responseLengthMax)
    } catch (error) {
      if (!isHoldfastError(error) || error.outcome !== 'invalid') {
        // Out of reach: the hold runs out. Lost: whoever has the key now will answer.
        const lost = await own.giveUp({ dueInMs: 0 }).then(() => false, isLeaseLost)
        stopRenewing()
        if (lost) return superseded
        throw error
      }
      failure = { error }
      answer = { kind: 'error', code: error.code, message: error.message.slice(0, 1_000) }
    }
    try {
      const { outcome, won } = await own.decide({ operation, fingerprint, answer })
      if (failure && won) throw failure.error
      return { response: opened<Response>(outcome) }
    } catch (error) {
      if (isLeaseLost(error) && error !== failure?.error) return superseded
      throw error
    } finally {
      stopRenewing()
    }
  }

  return {
    async run<Response>(
      key: string,
      request: IdempotentRequest,
      work: (attempt: IdempotentAttempt) => Promise<Response>,
    ): Promise<IdempotentAnswer<Response>> {
      const { tenant = '', operation, fingerprint, waitMs = 0, signal } = request
      requireText('key', key, 255)
      requireText('operation', operation, 200)
      requireText('fingerprint', fingerprint, 1_000)
      if (tenant !== '') requireText('tenant', tenant, 100)
      requireInteger('waitMs', waitMs, 0, 600_000)
      const id = `${tenant.length}:${tenant}/${key}` // the length keeps "a/b"+"c" from "a"+"b/c"
      const asked = { operation, fingerprint }
      const untilMs = runtime.clock.monotonicMs() + waitMs
      for (;;) {
        const taken = await take(id, asked)
        if (taken.status === 'decided') {
          requireSame(id, asked, taken.outcome)
          observer.count('idempotentReplays', { operation })
          return { status: 'replayed', response: opened<Response>(taken.outcome) }
        }
        if (taken.status === 'claimed') {
          const { epoch } = taken.ownership
          if (epoch > 1n) observer.event('idempotentTakeover', { operation, epoch: String(epoch) })
          const done = await perform(taken.ownership, asked, work)
          if (done !== superseded) return { status: 'executed', ...done }
          observer.event('idempotentAttemptLost', { operation, epoch: String(epoch) })
          continue // even if the time is up: the other's answer may be there
        }
        const leftMs = untilMs - runtime.clock.monotonicMs()
        if (leftMs <= 0) {
          const retryAfterMs = taken.status === 'held' ? Math.ceil(taken.retryInMs) : pollMs
          return { status: 'in-progress', retryAfterMs }
        }
        await change(leftMs, signal)
      }
    },
  }

  /** Until something changed, or it is time to look anyway. @throws {CancelledError} */
  async function change(leftMs: number, signal: AbortSignal | undefined): Promise<void> {
    const rung = new AbortController()
    const unwatch = keys.watch(() => rung.abort())
    const jitteredMs = pollMs * (0.75 + runtime.random.fraction('idempotency-poll') / 2)
    try {
      const either = signal ? AbortSignal.any([signal, rung.signal]) : rung.signal
      await sleep(runtime.timers, Math.min(leftMs, jitteredMs), { signal: either })
    } catch (error) {
      if (signal?.aborted) throw error
    } finally {
      unwatch()
    }
  }
}

function requireSame(id: string, asked: KeyState, stored: Omit<KeyState, 'recoveryPoint'>): void {
  const { operation, fingerprint } = stored
  if (operation === asked.operation && fingerprint === asked.fingerprint) return
  const what = operation === asked.operation ? 'content' : `operation "${operation}"`
  throw new KeyReusedError(`the key "${id}" came before with other ${what}`, {
    details: { operation, asked: asked.operation },
  })
}

/** The work is done, so what cannot be kept must not make it be done again. */
function kept(id: string, response: unknown, lengthMax: number): KeyEnd['answer'] {
  const text = toText(response)
  if (text !== undefined && text.length <= lengthMax) return { kind: 'response', response }
  const size = text === undefined ? 'not JSON' : `${text.length} characters long`
  const message = `the work of "${id}" is done, but its response is ${size} and was not kept`
  return { kind: 'error', code: 'response-not-kept', message }
}

function isLeaseLost(error: unknown): boolean {
  return isHoldfastError(error) && error.code === 'lease-lost'
}

function toText(value: unknown): string | undefined {
  try {
    return JSON.stringify(value ?? null)
  } catch {
    return undefined
  }
}

function opened<Response>({ answer }: KeyEnd): Response {
  if (answer.kind === 'response') return answer.response as Response
  throw new HoldfastError(answer.code, 'invalid', answer.message)
}
