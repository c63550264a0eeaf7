/**
 * A violation made small enough to read. First the history is cut at the earliest instant at which it is
 * already wrong. Then operations are excused, by delta debugging (Zeller and Hildebrandt, 2002), as long as it
 * stays wrong: an excused read is left out, any other excused operation may happen at any time after its
 * call, or never, with any answer. So nothing false comes in: a value that someone reads may still come from its writer.
 *
 * What remains is the reason. Whatever the others did, and however late, no order exists.
 */
import type { History, Operation } from '../history.ts'
import { checkLinearizability } from './checker.ts'
import type { Model } from './model.ts'

export interface CounterexampleOptions {
  /** Operations tried, over all attempts. Default 2e6: some seconds. When spent, the smallest so far. */
  readonly stepsMax?: number
}

/**
 * Places of operations that cannot be right together, in the order of the history. Empty if no violation
 * was found within the steps.
 */
export function counterexample<State, Input, Output>(
  history: History<Input, Output>,
  model: Model<State, Input, Output>,
  { stepsMax = 2e6 }: CounterexampleOptions = {},
): readonly number[] {
  let stepsLeft = stepsMax
  const wrong = (candidate: History<Input, Output>): boolean => {
    if (stepsLeft <= 0) return false
    // One attempt may not eat the rest: most attempts that take long would be undecided anyway.
    const options = { stepsMax: Math.min(stepsLeft, stepsMax / 10), memoryMax: 2e5 }
    const report = checkLinearizability(candidate, model, options)
    stepsLeft -= report.steps + 1
    return report.verdict === 'violation'
  }
  const cutAt = earliestWrong(history, wrong)
  if (cutAt === undefined) return []
  const early = cut(history, cutAt)
  const excusing = (kept: ReadonlySet<number>): History<Input, Output> =>
    early.flatMap(({ place, operation }) => {
      if (kept.has(place)) return [operation]
      return model.reads?.(operation.input, operation.output) === true ? [] : [excused(operation)]
    })
  return smallest(
    early.map(({ place }) => place),
    (kept) => wrong(excusing(new Set(kept))),
  )
}

interface Placed<Input, Output> {
  readonly place: number
  readonly operation: Operation<Input, Output>
}

/** The history as it was known at that instant: what had not returned was open. */
function cut<Input, Output>(history: History<Input, Output>, at: number): Placed<Input, Output>[] {
  return history.flatMap((operation, place) => {
    if (operation.calledAt > at) return []
    if (operation.returnedAt <= at) return [{ place, operation }]
    const { output, ...rest } = operation
    return [{ place, operation: { ...rest, returnedAt: Number.POSITIVE_INFINITY } }]
  })
}

function excused<Input, Output>(operation: Operation<Input, Output>): Operation<Input, Output> {
  const { process, input, calledAt } = operation
  return { process, input, calledAt, returnedAt: Number.POSITIVE_INFINITY }
}

/** The first return at which the history is wrong. Once wrong it stays so, hence bisection. */
function earliestWrong<Input, Output>(
  history: History<Input, Output>,
  wrong: (candidate: History<Input, Output>) => boolean,
): number | undefined {
  const times = history.map(({ returnedAt }) => returnedAt).filter(Number.isFinite)
  times.sort((a, b) => a - b)
  const wrongAt = (index: number): boolean =>
    wrong(cut(history, times[index] ?? 0).map(({ operation }) => operation))
  let low = 0
  let high = times.length - 1
  if (high < 0 || !wrongAt(high)) return undefined
  while (low < high) {
    const middle = (low + high) >> 1
    if (wrongAt(middle)) high = middle
    else low = middle + 1
  }
  return times[low]
}

/** Delta debugging: leaves out ever smaller pieces, as long as what remains is still wrong. */
function smallest(all: readonly number[], wrong: (kept: readonly number[]) => boolean): number[] {
  let kept = [...all]
  let pieces = 2
  while (kept.length > 1) {
    const size = Math.ceil(kept.length / pieces)
    let shrunk = false
    for (let at = 0; at < kept.length; at += size) {
      const without = [...kept.slice(0, at), ...kept.slice(at + size)]
      if (without.length === 0 || !wrong(without)) continue
      kept = without
      pieces = Math.max(2, pieces - 1)
      shrunk = true
      break
    }
    if (shrunk) continue
    if (size === 1) break
    pieces = Math.min(kept.length, pieces * 2)
  }
  return kept
}
