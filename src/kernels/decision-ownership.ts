/**
 * Ownership of one open decision: the right to move its state and to decide it, until somebody with a
 * higher epoch takes over. The right is in the record itself: every write names the version it replaces,
 * so an owner who was paused past his time is refused at his next write, whatever he believes.
 */
import { ClosedError, LeaseLostError } from '../errors.ts'
import type { RecordStore } from '../ports/record-store.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { sleep } from '../runtime/sleep.ts'
import type { Decided, OwnedUntil, Ownership } from './decision-contract.ts'
import { type DecisionRecord, decodeRecord, type OpenRecord } from './decision-record.ts'
import { persist, writeRecord } from './decision-write.ts'

/** Each lost race with a request from outside costs one more write; the requests are bounded. */
const racesMax = 100

export interface OwnershipSite {
  readonly runtime: Runtime
  readonly records: RecordStore
  readonly space: string
  readonly retainMs: number
  readonly openRetainMs: number | undefined
}

export interface OwnershipStart {
  readonly id: string
  readonly record: OpenRecord
  readonly version: bigint
  readonly holdMs: number
  /** Monotonic time from before the claim was sent. */
  readonly sentAtMs: number
}

/** What a write makes of the record, and when the record is due after it. */
interface Rewrite {
  readonly record: DecisionRecord
  readonly dueInMs?: number | undefined
  readonly expiresInMs?: number | undefined
}

export function ownershipOf<State, Result>(
  site: OwnershipSite,
  start: OwnershipStart,
): Ownership<State, Result> {
  const { runtime, records, space, openRetainMs } = site
  const { id, holdMs } = start
  const { clock } = runtime
  const lost = new AbortController()
  const ended = new AbortController()
  let record = start.record
  let version = start.version
  let validUntilMs = start.sentAtMs + holdMs
  let seen = (): void => {}
  let last: Promise<unknown> = Promise.resolve()

  // Writes of one owner go one after the other, since each names the version of the one before.
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = last.then(work, work)
    last = turn.catch(() => {})
    return turn
  }

  function lose(reason: string): LeaseLostError {
    const error = new LeaseLostError(`ownership of "${id}" (epoch ${record.epoch}) ${reason}`)
    if (!lost.signal.aborted) lost.abort(error)
    ended.abort(error)
    return error
  }

  /** @returns what is stored now; not `ours` if the decision had fallen elsewhere. */
  async function rewrite(
    change: (from: OpenRecord) => Rewrite,
  ): Promise<{ readonly stored: DecisionRecord; readonly ours: boolean }> {
    if (ended.signal.aborted) throw ended.signal.reason
    const stamp = runtime.random.id('decision-stamp')
    for (let race = 0; race < racesMax; race += 1) {
      const next = change({ ...record, stamp })
      const sentAtMs = clock.monotonicMs()
      const written = await writeRecord(runtime, records, next.record, {
        space,
        key: id,
        expected: version,
        ...present('dueInMs', next.dueInMs),
        ...present('expiresInMs', next.expiresInMs ?? openRetainMs),
      })
      if (written !== undefined) {
        version = written.version
        if (written.record.status === 'open') {
          record = written.record
          validUntilMs = sentAtMs + holdMs
        }
        return { stored: written.record, ours: true }
      }
      const stored = await persist(runtime, () => records.get(space, id))
      const found = stored && decodeRecord(id, stored.value)
      if (stored === undefined || found === undefined) throw lose('is gone: the record was deleted')
      if (found.status === 'decided') return { stored: found, ours: false }
      if (found.epoch !== record.epoch || found.owner === undefined) {
        throw lose(`was taken over by epoch ${found.epoch}`)
      }
      record = { ...record, requests: found.requests }
      version = stored.version
    }
    throw lose('met more rivals than there can be')
  }

  async function stayOpen(change: (from: OpenRecord) => Rewrite): Promise<void> {
    const { ours } = await rewrite(change)
    if (!ours) throw lose('ended: it was decided by somebody else')
  }

  function end(): void {
    ended.abort(new ClosedError(`ownership of "${id}" was given up`))
  }

  // The deadline is only a courtesy to running work; the fence is the version in each write.
  async function watchDeadline(): Promise<void> {
    while (!ended.signal.aborted) {
      const leftMs = validUntilMs - clock.monotonicMs()
      if (leftMs <= 0) {
        if (!lost.signal.aborted) {
          lost.abort(new LeaseLostError(`ownership of "${id}" ran out after ${holdMs} ms`))
        }
        return
      }
      await pause(leftMs + 1)
    }
  }

  function pause(delayMs: number, signal: AbortSignal = ended.signal): Promise<void> {
    const options = { signal, background: true }
    return sleep(runtime.timers, delayMs, options).catch(() => {})
  }

  async function renewFor(maxMs: number, stopped: AbortSignal): Promise<void> {
    const over = AbortSignal.any([ended.signal, stopped])
    const untilMs = clock.monotonicMs() + maxMs
    while (!over.aborted && clock.monotonicMs() < untilMs) {
      await pause(holdMs / 3, over)
      if (over.aborted || lost.signal.aborted) return
      await extend().catch(() => {}) // refused: `lose` said so; out of reach: the next turn tries
    }
  }

  async function extend(): Promise<void> {
    await inTurn(() => stayOpen((from) => ({ record: from, dueInMs: holdMs })))
    if (record.requests.length > 0) seen()
  }

  runtime.tasks.spawn('decision-deadline', watchDeadline)

  return {
    id,
    get epoch() {
      return record.epoch
    },
    get state() {
      return record.state as State
    },
    get requests() {
      return record.requests
    },
    signal: lost.signal,
    remainingMs: () => (ended.signal.aborted ? 0 : Math.max(0, validUntilMs - clock.monotonicMs())),
    save(state, { answered = [] } = {}) {
      return inTurn(() =>
        stayOpen((from) => ({
          record: { ...from, state, requests: without(from, answered) },
          dueInMs: holdMs,
        })),
      )
    },
    extend,
    keep(maxMs, onRequests = () => {}) {
      seen = onRequests
      const stopped = new AbortController()
      runtime.tasks.spawn('decision-renewal', () => renewFor(maxMs, stopped.signal))
      return () => stopped.abort()
    },
    decide(outcome) {
      return inTurn(async () => {
        const { stored, ours } = await rewrite(({ epoch, stamp }) => ({
          record: { status: 'decided', epoch, stamp, outcome },
          expiresInMs: site.retainMs,
        }))
        end()
        const winner = stored.status === 'decided' ? stored.outcome : outcome
        return { outcome: winner as Result, won: ours } satisfies Decided<Result>
      })
    },
    giveUp(until: OwnedUntil<State>) {
      return inTurn(async () => {
        await stayOpen((from) => {
          const { owner: _, ...rest } = from
          const state = until.state === undefined ? from.state : until.state
          const requests = without(from, until.answered ?? [])
          // A request that came in the meantime must not wait for the due time.
          const dueInMs = requests.length > 0 ? 0 : until.dueInMs
          return { record: { ...rest, state, requests }, dueInMs }
        })
        end()
      })
    },
  }
}

function without(from: OpenRecord, answered: readonly string[]): OpenRecord['requests'] {
  return from.requests.filter(({ id }) => !answered.includes(id))
}

function present<Key extends string>(key: Key, value: number | undefined): { [K in Key]?: number } {
  return value === undefined ? {} : ({ [key]: value } as { [K in Key]: number })
}
