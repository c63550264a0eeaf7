/** The models that `holdfast check` knows by name, and what each makes of a recorded history. */

import { InvalidArgumentError } from '../../errors.ts'
import { canonical, simple } from '../../verification/formats/canonical.ts'
import type { EdnValue } from '../../verification/formats/edn.ts'
import { paired, type RecordedEvent } from '../../verification/formats/recorded.ts'
import {
  casRegisterMeaning,
  counterMeaning,
  fencedLockMeaning,
  keyValueMeaning,
  multiRegisterMeaning,
  mutexMeaning,
  queueMeaning,
  registerMeaning,
  setMeaning,
  stackMeaning,
  type Translation,
  translated,
  whole,
} from '../../verification/formats/translate.ts'
import type { History, Value, Verdict } from '../../verification/history.ts'
import type { IsolationLevel, IsolationModel } from '../../verification/isolation/index.ts'
import { checkIsolation, transactionsOf } from '../../verification/isolation/index.ts'
import { checkLinearizability } from '../../verification/linearizability/checker.ts'
import { counterexample } from '../../verification/linearizability/counterexample.ts'
import type { Model } from '../../verification/linearizability/model.ts'
import { type Keyed, perKey } from '../../verification/linearizability/per-key.ts'
import { counter } from '../../verification/models/counter.ts'
import { fencedLock } from '../../verification/models/fenced-lock.ts'
import { keyValue } from '../../verification/models/key-value.ts'
import { multiRegister } from '../../verification/models/multi-register.ts'
import { mutex } from '../../verification/models/mutex.ts'
import { queue } from '../../verification/models/queue.ts'
import { casRegister } from '../../verification/models/register.ts'
import { set } from '../../verification/models/set.ts'
import { stack } from '../../verification/models/stack.ts'

export interface JudgeOptions {
  readonly failedCas: 'absent' | 'observed'
  readonly timeoutMs: number
  readonly nowMs: () => number
  /** What a register, a key or a counter holds at first, if that is not the model's own beginning. */
  readonly initial: EdnValue | undefined
  /** Of a key-value history: what a key holds that was never put. */
  readonly unset: '' | null
  /** Of transactions. */
  readonly level: IsolationLevel | undefined
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
  register: linearizable((options) => casRegister(first(options), 'register'), registerMeaning),
  'cas-register': linearizable((options) => casRegister(first(options)), casRegisterMeaning),
  'multi-register': linearizable((options) => multiRegister(firsts(options)), multiRegisterMeaning),
  'key-value': linearizable(
    ({ initial, unset }) => keyValue(text(initial, unset)),
    keyValueMeaning,
  ),
  queue: linearizable(fromNothing('queue', queue), queueMeaning),
  stack: linearizable(fromNothing('stack', stack), stackMeaning),
  set: linearizable(fromNothing('set', set), setMeaning),
  counter: linearizable((options) => counter(number(options)), counterMeaning),
  mutex: linearizable(fromNothing('mutex', mutex), mutexMeaning),
  'fenced-lock': linearizable(fromNothing('fenced-lock', fencedLock), fencedLockMeaning),
  'list-append': isolated('list-append'),
  'rw-register': isolated('rw-register'),
}

function first({ initial }: JudgeOptions): Value {
  return initial === undefined ? null : simple(initial)
}

/** One value for all registers, or a map of them. */
function firsts(options: JudgeOptions): Value | ReadonlyMap<string, Value> {
  const { initial } = options
  if (!(initial instanceof Map)) return first(options)
  const byKey: ReadonlyMap<EdnValue, EdnValue> = initial
  return new Map(Array.from(byKey, ([key, value]) => [canonical(key), simple(value)]))
}

function text(initial: EdnValue | undefined, unset: '' | null): string | null {
  if (initial === undefined) return unset
  return initial === null ? null : canonical(initial)
}

function number({ initial }: JudgeOptions): bigint {
  const value = initial === undefined ? 0n : whole(initial)
  if (value !== undefined) return value
  throw new InvalidArgumentError('--initial of a counter is a whole number')
}

function fromNothing<Made>(name: string, make: () => Made): (options: JudgeOptions) => Made {
  return ({ initial }) => {
    if (initial === undefined) return make()
    throw new InvalidArgumentError(`--initial means nothing to a ${name}, which begins empty`)
  }
}

/** Operations told of each kind; the drawing has more. */
const toldMax = 50
/** Operations drawn of a history that is right. */
const rightMax = 1_000

function linearizable<State, Input, Output>(
  modelOf: (options: JudgeOptions) => Model<State, Input, Output>,
  meaning: Translation<Input, Output>,
): Judge {
  return (events, options) => {
    if (options.level !== undefined) {
      throw new InvalidArgumentError('--level is for transactions: list-append and rw-register')
    }
    const model = perKey(modelOf(options))
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
    const accused = evidence.reason ?? [...bars.keys()]
    const fewest = fewestOf(operations, model, accused)
    const reason = fewest.length > 0 ? fewest : (evidence.reason ?? [])
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

/** The fewest found of these operations that cannot be right together; none if the steps were too few. */
function fewestOf<State, Input, Output>(
  operations: History<Input, Output>,
  model: Model<State, Input, Output>,
  places: readonly number[],
): readonly number[] {
  const history = places.flatMap((place) => operations[place] ?? [])
  return counterexample(history, model).map((index) => places[index] ?? 0)
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
  return (events, { timeoutMs, nowMs, level, initial }) => {
    if (initial !== undefined) {
      throw new InvalidArgumentError(
        `--initial means nothing to ${model}: nothing was written at first`,
      )
    }
    let ordered = true
    function* watched(): Generator<RecordedEvent, void, undefined> {
      for (const event of events) {
        ordered &&= event.process !== ''
        yield event
      }
    }
    const history = transactionsOf(watched(), model)
    const judged = { model, level, timeoutMs, nowMs, realtime: ordered, process: ordered }
    const { verdict, levels, anomalies, counts, problem } = checkIsolation(history, judged)
    const facts = { verdict, operations: history.length }
    if (verdict === 'ok') return facts
    const unordered = { code: 'no-process', words: 'no :process, so no order in time is judged' }
    const why = problem ?? (ordered ? undefined : unordered)
    return { ...facts, evidence: { levels, counts, anomalies, problem: why } }
  }
}
