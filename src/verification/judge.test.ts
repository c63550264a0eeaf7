/** Judges as values: what they read, what they leave out, and how they say it. */
import { describe, expect, it } from 'vitest'
import { type Attempt, checked, checkUniqueIds, linearizable, register } from './index.ts'
import { isolated, type TransactionSteps } from './isolation/index.ts'
import type { RegisterInput, RegisterOutput } from './models/register.ts'

type Step = Attempt<RegisterInput, RegisterOutput>

const write = (value: string, calledAt: number, more: Partial<Step> = {}): Step => ({
  process: 'a',
  input: { type: 'write', value },
  output: null,
  calledAt,
  returnedAt: calledAt + 1,
  ...more,
})
const read = (output: string | null, calledAt: number): Step => ({
  process: 'b',
  input: { type: 'read' },
  output,
  calledAt,
  returnedAt: calledAt + 1,
})

describe('linearizable', () => {
  it('names its model, given with arguments or without', () => {
    expect(linearizable(register).name).toBe('linearizable(register)')
    expect(linearizable(register('x')).judge([read('x', 0)]).verdict).toBe('ok')
    expect(linearizable(register).judge([read('x', 0)]).verdict).toBe('violation')
  })

  it('leaves out what failed, and names the others by their places in the whole history', () => {
    const history = [
      write('never', 0, { failed: true }),
      write('one', 2),
      read('one', 4),
      write('two', 6),
      read('one', 8),
    ]
    const { verdict, kind, places, words } = linearizable(register).judge(history)
    expect(verdict).toBe('violation')
    expect(kind).toBe('no order')
    expect(words).toContain('no order of 4 operations')
    expect(places).toContain(4)
    expect(places).not.toContain(0)
    expect(linearizable(register).judge([...history.slice(0, 4), read('never', 8)]).verdict).toBe(
      'violation',
    )
  })

  it('lets an open operation take effect late, or never', () => {
    const open = write('late', 0, { returnedAt: Number.POSITIVE_INFINITY })
    const { output: _, ...unanswered } = open
    expect(linearizable(register).judge([unanswered, read(null, 5)]).verdict).toBe('ok')
    expect(linearizable(register).judge([unanswered, read('late', 50)]).verdict).toBe('ok')
  })

  it('does not know where nothing was answered, or the steps ran out', () => {
    expect(linearizable(register).judge([]).verdict).toBe('unknown')
    expect(linearizable(register).judge([write('x', 0, { failed: true })]).verdict).toBe('unknown')
    const many = Array.from({ length: 40 }, (_, index) => write(`${index}`, 0, { returnedAt: 99 }))
    const judge = linearizable(register, { stepsMax: 50 })
    expect(judge.judge([...many, read('none of them', 100)])).toEqual({
      verdict: 'unknown',
      words: 'steps ran out',
    })
  })
})

it('checked makes a judge of a check, and keeps the kind of what it found', () => {
  const ids = (history: readonly Attempt[]): string[] => history.map(({ output }) => String(output))
  const judge = checked('unique ids', (history) => checkUniqueIds(ids(history)))
  expect(judge.judge([read('x', 0), read('y', 1)]).verdict).toBe('ok')
  const { verdict, kind, words } = judge.judge([read('x', 0), read('x', 1)])
  expect(verdict).toBe('violation')
  expect(kind).toBe(Object.keys(checkUniqueIds(['x', 'x']).counts)[0])
  expect(words).toContain('x')
})

describe('isolated', () => {
  const transaction = (
    process: string,
    calledAt: number,
    steps: TransactionSteps['steps'],
    more: Partial<Attempt<TransactionSteps, TransactionSteps>> = {},
  ): Attempt<TransactionSteps, TransactionSteps> => {
    const times = { calledAt, returnedAt: calledAt + 1 }
    return { process, input: { steps }, output: { steps }, ...times, ...more }
  }
  const append = (value: number) => ({ kind: 'append', key: 'k', value }) as const
  const list = (...value: readonly number[]) => ({ kind: 'read', key: 'k', value }) as const

  it('names level and model, and passes what is right', () => {
    const judge = isolated('list-append')
    expect(judge.name).toBe('strict-serializable(list-append)')
    const history = [transaction('a', 0, [append(1)]), transaction('b', 2, [list(1)])]
    expect(judge.judge(history).verdict).toBe('ok')
  })

  it('finds a read of what was aborted, and the transactions in it', () => {
    const history = [
      transaction('a', 0, [append(1)], { failed: true }),
      transaction('b', 2, [list(1)]),
    ]
    const { verdict, kind, places } = isolated('list-append').judge(history)
    expect(verdict).toBe('violation')
    expect(kind).toBe('G1a')
    expect(places).toContain(1)
  })

  it('judges by the level that was asked for', () => {
    // The read comes after the append in real time, and does not see it.
    const stale = [
      transaction('a', 0, [append(1)]),
      transaction('b', 2, [list()]),
      transaction('c', 4, [list(1)]),
    ]
    expect(isolated('list-append').judge(stale).verdict).toBe('violation')
    expect(isolated('list-append', { level: 'serializable' }).judge(stale).verdict).toBe('ok')
  })
})
