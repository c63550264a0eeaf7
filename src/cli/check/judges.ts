/** The models that `holdfast check` knows by name, and what each makes of a recorded history. */

import { paired, type RecordedEvent } from '../../verification/formats/recorded.ts'
import {
  casRegisterMeaning,
  counterMeaning,
  fencedLockMeaning,
  keyValueMeaning,
  queueMeaning,
  registerMeaning,
  setMeaning,
  stackMeaning,
  type Translation,
  translated,
} from '../../verification/formats/translate.ts'
import type { History, Verdict } from '../../verification/history.ts'
import type { IsolationModel } from '../../verification/isolation/index.ts'
import { checkIsolation, transactionsOf } from '../../verification/isolation/index.ts'
import { checkLinearizability } from '../../verification/linearizability/checker.ts'
import { counterexample } from '../../verification/linearizability/counterexample.ts'
import type { Model } from '../../verification/linearizability/model.ts'
import { type Keyed, perKey } from '../../verification/linearizability/per-key.ts'
import { counter } from '../../verification/models/counter.ts'
import { fencedLock } from '../../verification/models/fenced-lock.ts'
import { keyValue } from '../../verification/models/key-value.ts'
import { queue } from '../../verification/models/queue.ts'
import { casRegister } from '../../verification/models/register.ts'
import { set } from '../../verification/models/set.ts'
import { stack } from '../../verification/models/stack.ts'

export interface JudgeOptions {
  readonly failedCas: 'absent' | 'observed'
  readonly timeoutMs: number
  readonly nowMs: () => number
  /** Of a key-value history: what a key holds that was never put. */
  readonly unset: '' | null
  /** Is a drawing wanted, also of a history that is right? */
  readonly drawn: boolean
}

export interface Judgement {
  readonly verdict: Verdict
  readonly operations: number
  /** JSON. Of a violation, why; of an unknown, what ran out. */
  readonly evidence?: unknown
  readonly drawn?: Drawn
}

/** What a drawing shows: one part of the history, and what the verdict rests on. */
export interface Drawn {
  readonly bars: readonly Bar[]
  /** Of the operations in the longest order possible, their places in it. */
  readonly order: ReadonlyMap<Bar, number>
  readonly stuck: ReadonlySet<Bar>
  readonly reason: ReadonlySet<Bar>
}

export interface Bar {
  readonly process: number | string
  readonly line: number
  readonly text: string
  readonly calledAt: number
  readonly returnedAt: number
}

export type Judge = (events: Iterable<RecordedEvent>, options: JudgeOptions) => Judgement

export const judges: Readonly<Record<string, Judge>> = {
  register: linearizable(casRegister(null, 'register'), registerMeaning),
  'cas-register': linearizable(casRegister(), casRegisterMeaning),
  'key-value': (events, options) =>
    linearizable(keyValue(options.unset), keyValueMeaning)(events, options),
  queue: linearizable(queue(), queueMeaning),
  stack: linearizable(stack(), stackMeaning),
  set: linearizable(set(), setMeaning),
  counter: linearizable(counter(), counterMeaning),
  'fenced-lock': linearizable(fencedLock(), fencedLockMeaning),
  'list-append': isolated('list-append'),
  'rw-register': isolated('rw-register'),
}

/** Operations told of each kind; the drawing has more. */
const toldMax = 50
/** Operations drawn of a history that is right. */
const rightMax = 1_000

function linearizable<State, Input, Output>(
  inner: Model<State, Input, Output>,
  meaning: Translation<Input, Output>,
): Judge {
  const model = perKey(inner)
  return (events, options) => {
    const { operations, lines } = translated(paired(events), meaning, options)
    const report = checkLinearizability(operations, model, options)
    const { verdict, evidence, spent, undecided } = report
    const facts = { verdict, operations: operations.length }
    if (verdict === 'unknown') return { ...facts, evidence: { spent, undecided } }
    if (evidence === undefined) {
      if (!options.drawn) return facts
      const bars = barsOf(operations.slice(0, rightMax), lines, model, undefined)
      const none: ReadonlySet<Bar> = new Set()
      return {
        ...facts,
        drawn: { bars: [...bars.values()], order: new Map(), stuck: none, reason: none },
      }
    }
    const bars = barsOf(operations, lines, model, evidence.partition)
    const places = [...bars.keys()]
    const reason = counterexample(
      places.flatMap((place) => operations[place] ?? []),
      model,
    ).map((index) => places[index] ?? 0)
    const named = (chosen: readonly number[]): Bar[] =>
      chosen.flatMap((place) => bars.get(place) ?? [])
    const told = (chosen: readonly number[]): unknown[] =>
      named(chosen.slice(-toldMax)).map(({ line, process, text }) => ({ line, process, text }))
    return {
      ...facts,
      evidence: {
        ...(evidence.partition ? { key: evidence.partition } : {}),
        reason: told(reason),
        linearized: evidence.prefix.length,
        last: told(evidence.prefix.slice(-5)),
        cannotFollow: told(evidence.stuck),
      },
      drawn: {
        bars: [...bars.values()],
        order: new Map(named(evidence.prefix).map((bar, index) => [bar, index])),
        stuck: new Set(named(evidence.stuck)),
        reason: new Set(named(reason)),
      },
    }
  }
}

/** By their places in the history: all, or those of one part. */
function barsOf<State, Input, Output>(
  operations: History<Keyed<Input>, Output>,
  lines: readonly number[],
  model: Model<State, Keyed<Input>, Output>,
  part: string | undefined,
): Map<number, Bar> {
  const bars = new Map<number, Bar>()
  operations.forEach(({ process, input, output, calledAt, returnedAt }, place) => {
    if (part !== undefined && model.partition?.(input) !== part) return
    const text = model.describe?.(input, output) ?? ''
    bars.set(place, { process, line: lines[place] ?? 0, text, calledAt, returnedAt })
  })
  return bars
}

function isolated(model: IsolationModel): Judge {
  return (events, { timeoutMs, nowMs }) => {
    const history = transactionsOf(events, model)
    const { verdict, levels, anomalies, counts, problem } = checkIsolation(history, {
      model,
      timeoutMs,
      nowMs,
    })
    const facts = { verdict, operations: history.length }
    if (verdict === 'ok') return facts
    return { ...facts, evidence: { levels, counts, anomalies, problem } }
  }
}
