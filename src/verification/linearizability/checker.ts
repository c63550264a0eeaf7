/**
 * Is there an order of the operations that a single copy could have shown, in which everything that had
 * returned comes before everything called later? Parts that share no state are searched in turns,
 * with slices that grow: so one part that nobody could decide does not hide the violation in another, and
 * the first violation ends the work.
 */
import type { History, Verdict } from '../history.ts'
import type { MemoPool } from './memo.ts'
import type { Model } from './model.ts'
import { type Search, search } from './search.ts'

export interface CheckOptions {
  /** Operations tried, over all parts. Default 1e9: some minutes. The same history gives the same answer. */
  readonly stepsMax?: number
  /** Places kept, over all parts, before the largest part is given up. Default 2e6: some 200 MB. */
  readonly memoryMax?: number
  /** A clock that does not go back. Needed by `timeoutMs`. */
  readonly nowMs?: () => number
  /** Default: no limit but `stepsMax`. */
  readonly timeoutMs?: number
}

/** Why nothing better can be said than `unknown`. */
export type Spent = 'steps' | 'time' | 'memory'

/** All numbers are places in the history given. */
export interface Evidence {
  /** The part in which no order exists; absent if the model has only one. */
  readonly partition?: string
  /** The longest order that was possible, in this order. */
  readonly prefix: readonly number[]
  /** What might have come next by its time, but the model refuses all of it. */
  readonly stuck: readonly number[]
  /**
   * From models that need no search: these alone cannot be right together, and `prefix` and `stuck` are about
   * them only.
   */
  readonly reason?: readonly number[]
}

export interface LinearizabilityReport {
  readonly verdict: Verdict
  readonly operations: number
  readonly partitions: number
  /** Operations tried: a measure that does not depend on the machine. */
  readonly steps: number
  /** Of a violation. */
  readonly evidence?: Evidence
  /** Of an unknown: what ran out, and parts without a verdict, ten at most. */
  readonly spent?: Spent
  readonly undecided?: readonly string[]
}

interface Part {
  readonly key: string
  readonly places: readonly number[]
  state: 'waiting' | 'ok' | 'given up'
  search?: Search
}

const firstSlice = 1_000
/** Tens of milliseconds; between two slices the clock is asked. */
const sliceMax = 50_000
const undecidedMax = 10
const shownSteps = 100_000

export function checkLinearizability<State, Input, Output>(
  history: History<Input, Output>,
  model: Model<State, Input, Output>,
  options: CheckOptions = {},
): LinearizabilityReport {
  const { stepsMax = 1e9, memoryMax = 2e6, nowMs, timeoutMs } = options
  const startedMs = nowMs?.() ?? 0
  const parts = partition(history, model)
  const pool: MemoPool = { left: memoryMax }
  const facts = { operations: history.length, partitions: parts.length }
  let steps = 0

  function end(verdict: Verdict, more: Partial<LinearizabilityReport> = {}): LinearizabilityReport {
    return { verdict, ...facts, steps, ...more }
  }

  function unknown(spent: Spent): LinearizabilityReport {
    const undecided: string[] = []
    for (const { key, state } of parts) {
      if (state !== 'ok' && undecided.push(key) === undecidedMax) break
    }
    return end('unknown', { spent, undecided })
  }

  function advance(part: Part, slice: number): ReturnType<Search['advance']> {
    part.search ??= search(model, history, part.places, pool)
    const before = part.search.stepsTaken
    const verdict = part.search.advance(Math.min(slice, stepsMax - steps))
    steps += part.search.stepsTaken - before
    return verdict
  }

  for (const part of model.conflict === undefined ? [] : parts) {
    steps += part.places.length
    const reason = conflictOf(part, history, model)
    if (reason?.length === 0) part.state = 'ok'
    else if (reason !== undefined) {
      // A short search, not to find out but to show how far one gets.
      part.search = search(model, history, reason, { left: memoryMax })
      part.search.advance(shownSteps)
      return end('violation', { evidence: { ...evidenceOf(part, model), reason } })
    }
    if (nowMs !== undefined && timeoutMs !== undefined && nowMs() - startedMs > timeoutMs) {
      return unknown('time')
    }
  }
  let waiting = parts.filter(({ state }) => state === 'waiting')
  for (let slice = firstSlice; waiting.length > 0; slice = Math.min(slice * 2, sliceMax)) {
    for (const part of waiting) {
      if (part.state === 'given up') continue
      const verdict = advance(part, slice)
      if (verdict === 'violation') return end(verdict, { evidence: evidenceOf(part, model) })
      if (verdict === 'ok') {
        part.state = 'ok'
        part.search?.close()
        delete part.search
      } else if (verdict === 'full') giveUpLargest(waiting)
      else if (steps >= stepsMax) return unknown('steps')
      if (nowMs !== undefined && timeoutMs !== undefined && nowMs() - startedMs > timeoutMs) {
        return unknown('time')
      }
    }
    waiting = waiting.filter(({ state }) => state === 'waiting')
  }
  return parts.every(({ state }) => state === 'ok') ? end('ok') : unknown('memory')
}

/** Without a search, if the model has a way. In places of the whole history. */
function conflictOf<State, Input, Output>(
  part: Part,
  history: History<Input, Output>,
  model: Model<State, Input, Output>,
): readonly number[] | undefined {
  const operations = part.places.flatMap((place) => history[place] ?? [])
  return model.conflict?.(operations)?.map((place) => part.places[place] ?? 0)
}

/** It had most of the memory and still no verdict; the others may do with less. */
function giveUpLargest(waiting: readonly Part[]): void {
  const size = (part: Part): number => part.search?.memorySize ?? 0
  const largest = waiting.reduce((a, b) => (size(b) > size(a) ? b : a))
  largest.state = 'given up'
  largest.search?.close()
  delete largest.search
}

function evidenceOf<State, Input, Output>(
  part: Part,
  model: Model<State, Input, Output>,
): Evidence {
  const { prefix, stuck } = part.search?.best() ?? { prefix: [], stuck: [] }
  return { ...(model.partition === undefined ? {} : { partition: part.key }), prefix, stuck }
}

function partition<State, Input, Output>(
  history: History<Input, Output>,
  model: Model<State, Input, Output>,
): Part[] {
  const places = new Map<string, number[]>()
  history.forEach(({ input }, place) => {
    const key = model.partition?.(input) ?? ''
    const part = places.get(key)
    if (part === undefined) places.set(key, [place])
    else part.push(place)
  })
  return Array.from(places, ([key, chosen]) => ({ key, places: chosen, state: 'waiting' }))
}
