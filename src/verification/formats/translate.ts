/**
 * What a recorded operation means to a model. Every model knows the names of its operations and what
 * their values must be; a history that does not fit the model is bad input, not a violation.
 *
 * An operation that failed did not happen and is left out, except a compare-and-set: some recorders write
 * `fail` where the store answered that the value differed, and that answer is an observation.
 */
import type { Operation, Value } from '../history.ts'
import type { Keyed } from '../linearizability/per-key.ts'
import type { CounterInput, CounterOutput } from '../models/counter.ts'
import type { FencedLockInput, FencedLockOutput } from '../models/fenced-lock.ts'
import type { KeyValueInput, KeyValueOutput } from '../models/key-value.ts'
import type {
  MultiRegisterInput,
  MultiRegisterOutput,
  MultiRegisterStep,
} from '../models/multi-register.ts'
import type { MutexInput, MutexOutput } from '../models/mutex.ts'
import type { QueueInput, QueueOutput } from '../models/queue.ts'
import type { CasRegisterInput, RegisterOutput } from '../models/register.ts'
import type { SetInput, SetOutput } from '../models/set.ts'
import type { StackInput, StackOutput } from '../models/stack.ts'
import { canonical, simple } from './canonical.ts'
import type { EdnValue } from './edn.ts'
import { HistoryFormatError } from './history-format-error.ts'
import { splitByKey } from './independent.ts'
import type { RecordedOperation } from './recorded.ts'

export interface TranslateOptions {
  /** What a failed compare-and-set says: nothing (it is left out), or that the value was another. */
  readonly failedCas?: 'absent' | 'observed'
}

/** Of one operation, what the model reads. `undefined` as output: nothing to observe. */
export interface Meaning<Input, Output> {
  readonly input: Input
  readonly output: Output | undefined
}

/** @throws HistoryFormatError the model knows no such operation or value */
export type Translation<Input, Output> = (recorded: RecordedOperation) => Meaning<Input, Output>

/** Operations in the order of `recorded`, without those that did not happen; keys within values are taken out. */
export function translated<Input, Output>(
  recorded: readonly RecordedOperation[],
  translation: Translation<Input, Output>,
  { failedCas = 'absent' }: TranslateOptions = {},
): { readonly operations: Operation<Keyed<Input>, Output>[]; readonly lines: number[] } {
  const operations: Operation<Keyed<Input>, Output>[] = []
  const lines: number[] = []
  for (const one of splitByKey(recorded)) {
    const observed = one.end === 'failed' && one.f === 'cas' && failedCas === 'observed'
    const { input, output } = translation(observed ? { ...one, answered: false } : one)
    if (one.end === 'failed' && !observed) continue
    const { process, calledAt, returnedAt } = one
    const known = one.end !== 'open' && output !== undefined ? { output } : {}
    operations.push({
      process,
      input: { key: one.key ?? '', input },
      ...known,
      calledAt,
      returnedAt,
    })
    lines.push(one.line)
  }
  return { operations, lines }
}

function unfit({ line, f }: RecordedOperation, model: string): HistoryFormatError {
  return new HistoryFormatError(
    line,
    `"${f.slice(0, 40)}" with this value means nothing to a ${model}`,
  )
}

/** `read nil`, `write 3`, `cas [from to]`. */
export const casRegisterMeaning: Translation<CasRegisterInput, RegisterOutput> = (recorded) => {
  const { f, asked, answered, end } = recorded
  if (f === 'read') return { input: { type: 'read' }, output: simple(answered) }
  if (f === 'write') return { input: { type: 'write', value: simple(asked) }, output: undefined }
  if (f === 'cas' && Array.isArray(asked) && asked.length === 2) {
    const [from = null, to = null] = asked.map(simple)
    return { input: { type: 'cas', from, to }, output: end === 'ok' }
  }
  throw unfit(recorded, 'cas-register')
}

export const registerMeaning: Translation<CasRegisterInput, RegisterOutput> = (recorded) => {
  if (recorded.f === 'cas') throw unfit(recorded, 'register')
  return casRegisterMeaning(recorded)
}

/** `get`, `put`, `append`, `delete`, each with a key; values are text. */
export const keyValueMeaning: Translation<KeyValueInput, KeyValueOutput> = (recorded) => {
  const { f, asked, answered, key = '' } = recorded
  const value = typeof asked === 'string' ? asked : canonical(asked)
  if (f === 'get') {
    const output = answered === null ? null : canonical(answered)
    return { input: { type: 'get', key }, output }
  }
  if (f === 'delete') return { input: { type: 'delete', key }, output: undefined }
  if ((f === 'put' || f === 'append') && asked !== null) {
    return { input: { type: f, key, value }, output: undefined }
  }
  throw unfit(recorded, 'key-value')
}

/** `enqueue 3`, `dequeue` answered by a value or nil. */
export const queueMeaning: Translation<QueueInput, QueueOutput> = (recorded) => {
  const { f, asked, answered } = recorded
  if (f === 'enqueue' && asked !== null) {
    return { input: { type: 'enqueue', value: simple(asked) }, output: undefined }
  }
  if (f === 'dequeue') return { input: { type: 'dequeue' }, output: simple(answered) }
  throw unfit(recorded, 'queue')
}

/** `push 3`, `pop` answered by a value or nil. */
export const stackMeaning: Translation<StackInput, StackOutput> = (recorded) => {
  const { f, asked, answered } = recorded
  if (f === 'push' && asked !== null) {
    return { input: { type: 'push', value: simple(asked) }, output: undefined }
  }
  if (f === 'pop') return { input: { type: 'pop' }, output: simple(answered) }
  throw unfit(recorded, 'stack')
}

/** `add 3`, `remove 3` (answered by true or false, or anything), `contains 3`, `read` answered by all. */
export const setMeaning: Translation<SetInput, SetOutput> = (recorded) => {
  const { f, asked, answered, end } = recorded
  const answer = typeof answered === 'boolean' ? answered : undefined
  if (f === 'read') {
    const all = answered instanceof Set ? [...answered] : answered
    if (end === 'ok' && !Array.isArray(all)) throw unfit(recorded, 'set')
    return { input: { type: 'read' }, output: Array.isArray(all) ? all.map(simple) : undefined }
  }
  if (f === 'contains' && end === 'ok' && answer === undefined) throw unfit(recorded, 'set')
  if (f === 'add' || f === 'remove' || f === 'contains') {
    return { input: { type: f, value: simple(asked) }, output: answer }
  }
  throw unfit(recorded, 'set')
}

/** `add 3` (`add -3`), `read` answered by the number. */
export const counterMeaning: Translation<CounterInput, CounterOutput> = (recorded) => {
  const { f, asked, answered, end } = recorded
  if (f === 'add') {
    const amount = whole(asked)
    if (amount !== undefined) return { input: { type: 'add', amount }, output: undefined }
  }
  if (f === 'read') {
    const output = whole(answered)
    if (end !== 'ok' || output !== undefined) return { input: { type: 'read' }, output }
  }
  throw unfit(recorded, 'counter')
}

/** `acquire` answered by a token, or nil: held; `release 7`, `write 7` answered by false if refused. */
export const fencedLockMeaning: Translation<FencedLockInput, FencedLockOutput> = (recorded) => {
  const { f, asked, answered, end } = recorded
  if (f === 'acquire') {
    const token = whole(answered)
    const refused = answered === null || answered === false
    if (end !== 'ok' || token !== undefined || refused) {
      return { input: { type: 'acquire' }, output: token ?? null }
    }
  }
  const token = whole(asked)
  if ((f === 'release' || f === 'write') && token !== undefined) {
    return { input: { type: f, token }, output: answered !== false }
  }
  throw unfit(recorded, 'fenced-lock')
}

/** `acquire` (answered by false: refused), `release`. */
export const mutexMeaning: Translation<MutexInput, MutexOutput> = (recorded) => {
  const { f, answered } = recorded
  if (f === 'acquire') return { input: { type: 'acquire' }, output: answered !== false }
  if (f === 'release') return { input: { type: 'release' }, output: true }
  throw unfit(recorded, 'mutex')
}

/** Steps `[read key value]` and `[write key value]`, also `r` and `w`. */
export const multiRegisterMeaning: Translation<MultiRegisterInput, MultiRegisterOutput> = (
  recorded,
) => {
  const { asked, answered, end } = recorded
  const steps = stepsOf(asked)
  const seen = end === 'ok' ? stepsOf(answered) : steps
  if (steps === undefined || seen?.length !== steps.length) {
    throw unfit(recorded, 'multi-register')
  }
  return {
    input: steps.map(({ step }) => step),
    output: seen.flatMap(({ step, value }) => (step.type === 'read' ? [value] : [])),
  }
}

function stepsOf(
  value: EdnValue,
): readonly { readonly step: MultiRegisterStep; readonly value: Value }[] | undefined {
  if (!Array.isArray(value)) return undefined
  const steps = value.map((step: EdnValue) => {
    if (!Array.isArray(step) || step.length < 2 || step.length > 3) return undefined
    const [f, name = null, held = null]: readonly EdnValue[] = step
    const kind = typeof f === 'symbol' ? Symbol.keyFor(f) : f
    const key = canonical(name)
    const seen = simple(held)
    if (kind === 'read' || kind === 'r')
      return { step: { type: 'read' as const, key }, value: seen }
    if (kind !== 'write' && kind !== 'w') return undefined
    return { step: { type: 'write' as const, key, value: seen }, value: seen }
  })
  const known = steps.filter((step) => step !== undefined)
  return known.length === steps.length ? known : undefined
}

/** A whole number, as a bigint; also as text, for formats that cannot write large ones. */
export function whole(value: EdnValue): bigint | undefined {
  if (typeof value === 'bigint') return value
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : undefined
  return typeof value === 'string' && /^-?\d{1,100}$/.test(value) ? BigInt(value) : undefined
}
