import { describe, expect, it } from 'vitest'
import { readJepsenEdn } from '../formats/jepsen-edn.ts'
import { readJsonLines } from '../formats/json-lines.ts'
import { checkIsolation } from './check.ts'
import { transactionsOf } from './format.ts'

const edn = (text: string, model: 'list-append' | 'rw-register' = 'list-append') =>
  transactionsOf(readJepsenEdn([text]), model)

describe('transactions out of files', () => {
  it('calls and ends in EDN', () => {
    const history = edn(`
      {:type :invoke, :f :txn, :value [[:append :x 1] [:r :y nil]], :process 0, :index 0}
      {:type :invoke, :f :txn, :value [[:append :y 2]], :process 1, :index 1}
      {:type :ok, :f :txn, :value [[:append :x 1] [:r :y [2]]], :process 0, :index 2}
      {:type :info, :f :txn, :value [[:append :y 2]], :process 1, :index 3}
      {:type :invoke, :f :txn, :value [[:append :y 3]], :process 2, :index 4}
      {:type :fail, :f :txn, :value [[:append :y 3]], :process 2, :index 5}
      {:type :invoke, :f :txn, :value [[:append :y 4]], :process 3, :index 6}`)
    expect(history.map(({ status }) => status)).toEqual([
      'committed',
      'unknown',
      'aborted',
      'unknown',
    ])
    expect(history[0]).toEqual({
      process: 0,
      status: 'committed',
      calledAt: 1,
      returnedAt: 3,
      steps: [
        { kind: 'append', key: 'x', value: 1 },
        { kind: 'read', key: 'y', value: [2] },
      ],
    })
    expect(history[1]?.returnedAt).toBe(Number.POSITIVE_INFINITY)
  })

  it('ends alone, as in the README of Elle', () => {
    const history = edn(`
      [{:process 0, :type :ok, :f :txn, :value [[:append :x 1] [:r :y [1]]]}
       {:process 1, :type :ok, :f :txn, :value [[:append :x 2] [:append :y 1]]}
       {:process 2, :type :ok, :f :txn, :value [[:r :x [1 2]]]}]`)
    const report = checkIsolation(history, { model: 'list-append', level: 'serializable' })
    expect(report.anomalies.map(({ name }) => name)).toEqual(['G1c'])
  })

  it('registers, and JSON lines', () => {
    expect(
      edn('{:process 0 :type :ok :f :txn :value [[:w 1 2] [:r [1 2] nil]]}', 'rw-register'),
    ).toMatchObject([
      {
        steps: [
          { kind: 'write', key: 1 },
          { kind: 'read', key: '[1 2]', value: null },
        ],
      },
    ])
    const lines = '{"process":0,"type":"ok","f":"txn","value":[["append","x",1],["r","y",[1,2]]]}\n'
    expect(transactionsOf(readJsonLines([lines]), 'list-append')[0]?.steps).toEqual([
      { kind: 'append', key: 'x', value: 1 },
      { kind: 'read', key: 'y', value: [1, 2] },
    ])
  })

  it.each([
    ['{:process 0 :type :ok :f :txn :value 3}', 'list of steps'],
    ['{:process 0 :type :ok :f :txn :value [[:append :x]]}', 'nil is no key'],
    ['{:process 0 :type :ok :f :txn :value [[:append]]}', 'a step is'],
    ['{:process 0 :type :ok :f :txn :value [[:w :x 1]]}', 'w is no step of list-append'],
    ['{:process 0 :type :ok :f :txn :value [[:r :x 1]]}', 'not a list'],
    ['{:process 0 :type :ok :f :txn :value [[:r :x [nil]]]}', 'nil is no key'],
  ])('refuses %s', (text, words) => {
    expect(() => edn(`\n${text}`)).toThrow(`line 2: `)
    expect(() => edn(text)).toThrow(words)
  })

  it('a process that calls twice at once is refused', () => {
    const call = '{:process 0 :type :invoke :f :txn :value []}'
    expect(() => edn(`${call}\n${call}`)).toThrow('line 2: process 0 calls twice at once')
  })
})
