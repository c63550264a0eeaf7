import { describe, expect, it } from 'vitest'
import type { Operation } from '../history.ts'
import { type CounterInput, counter } from '../models/counter.ts'
import { type FencedLockInput, fencedLock } from '../models/fenced-lock.ts'
import { type KeyValueInput, keyValue } from '../models/key-value.ts'
import { type QueueInput, queue } from '../models/queue.ts'
import { type CasRegisterInput, casRegister } from '../models/register.ts'
import { set } from '../models/set.ts'
import { type StackInput, stack } from '../models/stack.ts'
import { checkLinearizability } from './checker.ts'
import type { Model } from './model.ts'
import { mixed } from './model.ts'

/**
 * Histories too long for the definition, whose verdict is known because of how they were made: one object, each
 * operation applied at one instant between its call and its return. Then one answer is added that nothing allows.
 */
interface Workload<State, Input, Output> {
  readonly model: Model<State, Input, Output>
  input(draw: (below: number) => number): Input
  /** All answers that this kind of call can get; the first that the model allows is the true one. */
  answers(input: Input, state: State): readonly (Output | undefined)[]
  /** One call in so many stays open, and every second one of these takes no effect. Default 20. */
  readonly openOneIn?: number
  /** How many call at once. Default 8. */
  readonly clients?: number
  /** An answer that no state allows. */
  readonly impossible: { readonly input: Input; readonly output: Output }
}

const operationsPerRun = 300

function drawing(seed: number): (below: number) => number {
  let count = 0
  return (below) => {
    count += 1
    return (mixed(Math.imul(seed, 0x9e3779b1) + count) >>> 0) % below
  }
}

/** Some clients never hear the answer, and of these some calls never took effect. */
function recordedRun<State, Input, Output>(
  { model, input, answers, openOneIn = 20, clients = 8 }: Workload<State, Input, Output>,
  seed: number,
): Operation<Input, Output>[] {
  const draw = drawing(seed)
  const states = new Map<string, State>()
  const freeAt = Array.from({ length: clients }, () => 0)
  const planned = Array.from({ length: operationsPerRun }, (_, index) => {
    const client = index % clients
    const calledAt = (freeAt[client] ?? 0) + draw(5)
    const effectAt = calledAt + draw(6) + 0.5
    const returnedAt = effectAt + draw(6) + 0.5
    freeAt[client] = returnedAt + 1
    const fate = draw(2 * openOneIn)
    return { client, calledAt, effectAt, returnedAt, open: fate < 2, never: fate === 0 }
  })
  planned.sort((a, b) => a.effectAt - b.effectAt)
  return planned.map(({ client, calledAt, returnedAt, open, never }) => {
    const asked = input(draw)
    const part = model.partition?.(asked) ?? ''
    const state = states.get(part) ?? model.initial
    const output = answers(asked, state).find((one) => model.step(state, asked, one) !== undefined)
    const after = model.step(state, asked, output)
    if (after !== undefined && !never) states.set(part, after)
    const call = { process: client, input: asked, calledAt }
    if (open) return { ...call, returnedAt: Number.POSITIVE_INFINITY }
    return { ...call, returnedAt, ...(output === undefined ? {} : { output }) }
  })
}

function holds<State, Input, Output>(workload: Workload<State, Input, Output>): void {
  for (let seed = 1; seed <= 20; seed++) {
    const history = recordedRun(workload, seed)
    const right = checkLinearizability(history, workload.model, { stepsMax: 3e5 })
    expect(right.verdict, `seed ${seed}: a false alarm`).not.toBe('violation')
    if (seed <= 10) expect(right.verdict, `seed ${seed}: undecided`).toBe('ok')
    const at = history.length * 10
    const wrong = { ...workload.impossible, process: 9, calledAt: at, returnedAt: at + 1 }
    const broken = checkLinearizability([...history, wrong], workload.model, { stepsMax: 3e5 })
    expect(broken.verdict, `seed ${seed}: false comfort`).not.toBe('ok')
  }
}

const small = [0, 1, 2, 3, 4]

describe('long histories of known verdict, with open operations', () => {
  it('cas-register', () =>
    holds({
      model: casRegister(),
      input: (draw): CasRegisterInput => {
        if (draw(3) === 0) return { type: 'write', value: draw(5) }
        return draw(2) === 0 ? { type: 'read' } : { type: 'cas', from: draw(5), to: draw(5) }
      },
      answers: ({ type }) =>
        type === 'read' ? [null, ...small] : type === 'cas' ? [true, false] : [undefined],
      impossible: { input: { type: 'read' }, output: 77 },
    }))

  it('key-value', () =>
    holds({
      model: keyValue(),
      input: (draw): KeyValueInput => {
        const key = `k${draw(8)}`
        if (draw(2) === 0) return { type: 'get', key }
        return { type: draw(2) === 0 ? 'put' : 'append', key, value: `${draw(5)}` }
      },
      answers: ({ type }, { value }) => [type === 'get' ? value : undefined],
      impossible: { input: { type: 'get', key: 'k0' }, output: 'x' },
    }))

  it('queue', () =>
    holds({
      model: queue(),
      openOneIn: 300,
      clients: 3,
      // Values may come twice, so this is for the search, and the queue short: in a long one the order of
      // enqueues shows too late.
      input: (draw): QueueInput =>
        draw(3) === 0 ? { type: 'enqueue', value: draw(1_000) } : { type: 'dequeue' },
      answers: ({ type }, { front, back }) => {
        if (type === 'enqueue') return [undefined]
        let oldest = front ?? back
        if (front === undefined) while (oldest?.next !== undefined) oldest = oldest.next
        return [oldest?.value ?? null]
      },
      impossible: { input: { type: 'dequeue' }, output: -1 },
    }))

  it('stack', () =>
    holds({
      model: stack(),
      openOneIn: 300,
      clients: 3,
      input: (draw): StackInput =>
        draw(2) === 0 ? { type: 'push', value: draw(1_000) } : { type: 'pop' },
      answers: ({ type }, { value }) => [type === 'push' ? undefined : value],
      impossible: { input: { type: 'pop' }, output: -1 },
    }))

  it('set', () =>
    holds({
      model: set(),
      input: (draw) => ({
        type: (['add', 'remove', 'contains'] as const)[draw(3)] ?? 'add',
        value: draw(5),
      }),
      answers: () => [true, false],
      impossible: { input: { type: 'contains', value: 99 }, output: true },
    }))

  it('counter', () =>
    holds({
      model: counter(),
      input: (draw): CounterInput =>
        draw(2) === 0 ? { type: 'read' } : { type: 'add', amount: BigInt(1 + draw(3)) },
      answers: ({ type }, state) => [type === 'read' ? state : undefined],
      impossible: { input: { type: 'read' }, output: -1n },
    }))

  it('fenced lock', () =>
    holds({
      model: fencedLock(),
      input: (draw): FencedLockInput => {
        if (draw(3) === 0) return { type: 'acquire' }
        return { type: draw(2) === 0 ? 'release' : 'write', token: BigInt(draw(40)) }
      },
      answers: ({ type }, { given }) => (type === 'acquire' ? [given + 1n] : [true, false]),
      impossible: { input: { type: 'write', token: -1n }, output: true },
    }))
})
