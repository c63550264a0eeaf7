/**
 * Small histories of the shapes that other judges' examples have, written anew, with the verdict that the definition
 * gives them: mutexes and transactions over registers as in Knossos, keys within values as in Jepsen, transactions
 * without processes as in Elle.
 */
import { describe, expect, it } from 'vitest'
import type { Verdict } from '../history.ts'
import { checkIsolation } from '../isolation/check.ts'
import { transactionsOf } from '../isolation/format.ts'
import { checkLinearizability } from '../linearizability/checker.ts'
import type { Model } from '../linearizability/model.ts'
import { perKey } from '../linearizability/per-key.ts'
import { multiRegister } from '../models/multi-register.ts'
import { mutex } from '../models/mutex.ts'
import { casRegister } from '../models/register.ts'
import { readJepsenEdn } from './jepsen-edn.ts'
import { paired } from './recorded.ts'
import {
  casRegisterMeaning,
  multiRegisterMeaning,
  mutexMeaning,
  type Translation,
  translated,
} from './translate.ts'

/** `p/type f value`, one event a piece: `1/invoke read nil`. */
function edn(...events: string[]): string {
  return events
    .map((event) => {
      const [, process, type, f, value] = /^(\d+)\/(\w+) (\w+) ?(.*)$/.exec(event) ?? []
      return `{:process ${process}, :type :${type}, :f :${f}, :value ${value || 'nil'}}`
    })
    .join('\n')
}

function verdict<State, Input, Output>(
  model: Model<State, Input, Output>,
  meaning: Translation<Input, Output>,
  ...events: string[]
): Verdict {
  const { operations } = translated(paired(readJepsenEdn([edn(...events)])), meaning)
  return checkLinearizability(operations, perKey(model)).verdict
}

describe('mutex', () => {
  const check = (...events: string[]) => verdict(mutex(), mutexMeaning, ...events)
  const takes = (process: number) => [`${process}/invoke acquire`, `${process}/ok acquire`]
  const frees = (process: number) => [`${process}/invoke release`, `${process}/ok release`]

  it('taken twice is a violation, unless it may have been given back between', () => {
    expect(check(...takes(1), ...frees(1), ...takes(2))).toBe('ok')
    expect(check(...takes(1), ...takes(2))).toBe('violation')
    expect(check(...takes(1), '1/invoke release', ...takes(2))).toBe('ok')
  })

  it('given back by nobody who has it', () => {
    expect(check(...frees(1))).toBe('violation')
    expect(check('1/invoke release', '1/fail release')).toBe('ok')
  })

  it('refused while it was free', () => {
    expect(check('1/invoke acquire', '1/ok acquire false')).toBe('violation')
    expect(check(...takes(2), '1/invoke acquire', '1/ok acquire false')).toBe('ok')
  })
})

describe('multi-register', () => {
  const at = new Map([
    [':x', 0],
    [':y', 0],
  ])
  const check = (...events: string[]) => verdict(multiRegister(at), multiRegisterMeaning, ...events)
  const done = (process: number, asked: string, seen = asked) => [
    `${process}/invoke txn ${asked}`,
    `${process}/ok txn ${seen}`,
  ]

  it('begins with what it is given', () => {
    expect(check(...done(1, '[[:read :x nil]]', '[[:read :x 0]]'))).toBe('ok')
    expect(check(...done(1, '[[:read :x nil]]', '[[:read :x 1]]'))).toBe('violation')
  })

  it('half of a write is not seen', () => {
    const write = done(1, '[[:write :x 1] [:write :y 1]]')
    const read = (seen: string) => done(2, '[[:r :x nil] [:r :y nil]]', seen)
    expect(check(...write, ...read('[[:r :x 1] [:r :y 1]]'))).toBe('ok')
    expect(check(...write, ...read('[[:r :x 1] [:r :y 0]]'))).toBe('violation')
  })

  it('a step sees those before it; one that never ended may have happened', () => {
    expect(check(...done(1, '[[:w :x 3] [:r :x nil]]', '[[:w :x 3] [:r :x 3]]'))).toBe('ok')
    const open = ['1/invoke txn [[:w :x 3] [:r :y nil]]']
    expect(check(...open, ...done(2, '[[:r :x nil]]', '[[:r :x 3]]'))).toBe('ok')
  })

  it('what is no transaction is refused', () => {
    for (const value of ['3', '[[:append :x 1]]', '[[:r :x]] [:r :y]', '[:r]']) {
      expect(() => check(`1/invoke txn ${value}`), value).toThrow()
    }
    expect(() => check('1/invoke txn [[:r :x nil]]', '1/ok txn []')).toThrow('line 1')
  })
})

describe('keys within values', () => {
  const check = (...events: string[]) => verdict(casRegister(), casRegisterMeaning, ...events)
  const two = [
    '0/invoke write [:a 1]',
    '0/ok write [:a 1]',
    '0/invoke write [:b 2]',
    '0/ok write [:b 2]',
  ]

  it('each key is a register of its own', () => {
    expect(check(...two, '1/invoke read [:a nil]', '1/ok read [:a 1]')).toBe('ok')
    expect(check(...two, '1/invoke read [:a nil]', '1/ok read [:a 2]')).toBe('violation')
    expect(
      check(
        ...two,
        '1/invoke cas [:b [2 3]]',
        '1/ok cas [:b [2 3]]',
        '1/invoke read [:b nil]',
        '1/ok read [:b 3]',
      ),
    ).toBe('ok')
  })

  it('pairs that are plain values stay together', () => {
    const plain = [
      '0/invoke write [1 2]',
      '0/ok write [1 2]',
      '1/invoke read nil',
      '1/ok read [1 2]',
    ]
    expect(check(...plain)).toBe('ok')
    expect(
      check('0/invoke cas [nil 1]', '0/ok cas [nil 1]', '0/invoke cas [1 nil]', '0/ok cas [1 nil]'),
    ).toBe('ok')
  })

  it('an answer about another key is refused', () => {
    expect(() => check(...two, '1/invoke read [:a nil]', '1/ok read [:b 2]')).toThrow('line 5')
  })
})

describe('transactions of nobody', () => {
  const history = transactionsOf(
    readJepsenEdn([
      `{:type :invoke :value [[:append 1 1]]} {:type :ok :value [[:append 1 1]]}
       {:type :invoke :value [[:r 1 nil]]} {:type :ok :value [[:r 1 nil]]}
       {:type :invoke :value [[:r 1 nil]]} {:type :info :value [[:r 1 nil]]}`,
    ]),
    'list-append',
  )

  it('claim no order in time', () => {
    expect(history.map(({ status }) => status)).toEqual(['committed', 'committed', 'unknown'])
    expect(new Set(history.map(({ process }) => process)).size).toBe(3)
    expect(checkIsolation(history, { model: 'list-append' }).levels['strict-serializable']).toBe(
      'ok',
    )
  })

  it('but what they read is judged', () => {
    const skewed = transactionsOf(
      readJepsenEdn([
        `{:type :ok :value [[:r 1 []] [:append 2 1]]} {:type :ok :value [[:r 2 []] [:append 1 1]]}
         {:type :ok :value [[:r 1 [1]] [:r 2 [1]]]}`,
      ]),
      'list-append',
    )
    const { levels } = checkIsolation(skewed, { model: 'list-append' })
    expect(levels.serializable).toBe('violation')
    expect(levels['snapshot-isolation']).toBe('ok')
  })

  it('are not enough for any other model', () => {
    expect(() => paired(readJepsenEdn(['\n{:type :invoke :f :read :value nil}']))).toThrow('line 2')
  })
})
