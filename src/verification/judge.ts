/**
 * A judge as a value: something with a name that reads a history and says what it thinks of it. Whoever
 * keeps a history (the simulator's worlds do) takes any of these, and knows no more about them.
 */
import type { CheckReport } from './checks/findings.ts'
import type { History, Operation, Verdict } from './history.ts'
import { type CheckOptions, checkLinearizability } from './linearizability/checker.ts'
import { counterexample } from './linearizability/counterexample.ts'
import type { Model } from './linearizability/model.ts'

/** An operation, and whether it is known that it never happened. */
export interface Attempt<Input = unknown, Output = unknown> extends Operation<Input, Output> {
  readonly failed?: boolean
}

export interface HistoryJudge<Input = unknown, Output = unknown> {
  readonly name: string
  judge(history: readonly Attempt<Input, Output>[]): HistoryJudgement
}

export interface HistoryJudgement {
  readonly verdict: Verdict
  /** What sort of violation. */
  readonly kind?: string
  /** Why, for people. */
  readonly words?: string
  /** Operations that cannot be right together: places in the history. */
  readonly places?: readonly number[]
}

export interface LinearizableOptions extends Pick<CheckOptions, 'memoryMax'> {
  /** Operations tried before the verdict is `unknown`. Default 5_000_000: some seconds. */
  readonly stepsMax?: number
}

/**
 * Was there one order, true to real time, in which a single copy could have given all these answers?
 * Operations that failed are left out: they never happened. A history in which nothing was answered is
 * `unknown`: nothing was tried.
 *
 * @param model `register`, `keyValue` …, with its arguments (`register(0)`) or without.
 */
export function linearizable<State, Input, Output>(
  model: Model<State, Input, Output> | (() => Model<State, Input, Output>),
  { stepsMax = 5_000_000, memoryMax = 500_000 }: LinearizableOptions = {},
): HistoryJudge<Input, Output> {
  const known = typeof model === 'function' ? model() : model
  return {
    name: `linearizable(${known.name})`,
    judge(history) {
      const places = history.flatMap(({ failed }, place) => (failed === true ? [] : [place]))
      const operations = places.flatMap((place) => history[place] ?? [])
      if (!operations.some(({ returnedAt }) => Number.isFinite(returnedAt))) {
        return { verdict: 'unknown', words: 'nothing was answered' }
      }
      const report = checkLinearizability(operations, known, { stepsMax, memoryMax })
      const { verdict, evidence, spent } = report
      if (verdict === 'unknown') return { verdict, words: `${spent} ran out` }
      if (evidence === undefined) return { verdict }
      return {
        verdict,
        kind: 'no order',
        words: `no order of ${reasonWords(operations, known, evidence.partition)}`,
        places: reasonOf(operations, known, evidence).flatMap((index) => places[index] ?? []),
      }
    },
  }
}

/**
 * Any other check: of deliveries, leases, totals … `read` makes of the history what the check reads.
 *
 * @param check of a violation, the first kind found becomes the judgement's.
 */
export function checked<Kind extends string>(
  name: string,
  check: (history: readonly Attempt[]) => CheckReport<Kind>,
): HistoryJudge {
  return {
    name,
    judge(history) {
      const { verdict, findings } = check(history)
      const [first] = findings
      if (first === undefined) return { verdict }
      const words = findings.slice(0, findingsTold).map((finding) => finding.words)
      return { verdict, kind: first.kind, words: words.join('; ') }
    },
  }
}

const findingsTold = 5

function reasonWords<State, Input, Output>(
  operations: History<Input, Output>,
  model: Model<State, Input, Output>,
  partition: string | undefined,
): string {
  const all = `${operations.length} operations is right`
  return model.partition === undefined || partition === undefined ? all : `${all}: ${partition}`
}

/** The few operations that cannot be right together, or else what the search was stuck at. */
function reasonOf<State, Input, Output>(
  operations: History<Input, Output>,
  model: Model<State, Input, Output>,
  evidence: { readonly prefix: readonly number[]; readonly stuck: readonly number[] },
): readonly number[] {
  const least = counterexample(operations, model)
  return least.length > 0 ? least : [...evidence.prefix.slice(-3), ...evidence.stuck]
}
