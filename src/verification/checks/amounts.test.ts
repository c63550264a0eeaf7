import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Operation } from '../history.ts'
import { linearizableByDefinition } from '../linearizability/oracle.sim.ts'
import { type CounterInput, type CounterOutput, counter } from '../models/counter.ts'
import { compared } from './compared.sim.ts'
import { checkDelivery, type Delivered, type Sent } from './delivery.ts'
import { type Added, checkGrowOnlySet, type ReadAll } from './grow-only-set.ts'
import { checkLease } from './lease.ts'
import { checkBank, checkCounter, checkUniqueIds } from './totals.ts'

const interval = fc
  .tuple(fc.nat(12), fc.constantFrom(0, 1, 3, 9))
  .map(([calledAt, lasts]) => ({ calledAt, returnedAt: calledAt + lasts }))

describe('delivery', () => {
  const send: fc.Arbitrary<Sent> = fc
    .tuple(interval, fc.constantFrom('a', 'b', 'c', 'd'), fc.constantFrom('k', 'l', undefined))
    .chain(([times, id, key]) =>
      fc
        .constantFrom('sent' as const, 'sent' as const, 'failed' as const, 'unknown' as const)
        .map((outcome) => ({
          id,
          ...(key === undefined ? {} : { key }),
          ...times,
          outcome,
        })),
    )
  const deliver: fc.Arbitrary<Delivered> = fc
    .tuple(fc.constantFrom('a', 'b', 'c', 'd', 'e'), fc.nat(30), fc.constantFrom(undefined, 0, 5))
    .map(([id, at, lasts]) => ({
      id,
      at,
      ...(lasts === undefined ? {} : { settledAt: at + lasts }),
    }))
  const histories = fc.record({
    sends: fc.uniqueArray(send, { selector: ({ id }) => id, maxLength: 4 }),
    deliveries: fc.uniqueArray(deliver, { selector: ({ at }) => at, maxLength: 4 }),
    drained: fc.boolean(),
    ordered: fc.boolean(),
    once: fc.boolean(),
  })

  it('agrees with the definition', () =>
    compared(
      histories,
      ({ sends, deliveries, ...options }) => checkDelivery(sends, deliveries, options),
      ({ sends, deliveries, drained, ordered, once }) => {
        const first = (id: string): number =>
          Math.min(...deliveries.filter((one) => one.id === id).map(({ at }) => at))
        const real = sends.filter(({ outcome }) => outcome !== 'failed')
        const phantom = deliveries.some(
          ({ id, at }) => !real.some((one) => one.id === id && one.calledAt <= at),
        )
        const lost = sends.some(({ id, outcome }) => outcome === 'sent' && first(id) === Infinity)
        const again = deliveries.some(({ id, at }, index) =>
          deliveries.some(
            (other, place) =>
              other.id === id && place !== index && ((other.settledAt ?? Infinity) < at || once),
          ),
        )
        const disorder = real.some((a) =>
          real.some(
            (b) =>
              a.key !== undefined &&
              a.key === b.key &&
              a.returnedAt < b.calledAt &&
              first(b.id) < first(a.id) &&
              first(a.id) < Infinity,
          ),
        )
        return phantom || (drained && lost) || again || (ordered && disorder)
      },
    ))

  it('names what was planted', () => {
    const sent = (id: string, at: number): Sent => ({
      id,
      key: 'k',
      calledAt: at,
      returnedAt: at + 1,
      outcome: 'sent',
    })
    const sends = [sent('a', 0), sent('b', 2), sent('c', 4)]
    const options = { drained: true, ordered: true }
    const kinds = (deliveries: Delivered[]) =>
      Object.keys(checkDelivery(sends, deliveries, options).counts)
    const all = [
      { id: 'a', at: 10, settledAt: 11 },
      { id: 'b', at: 12 },
      { id: 'c', at: 13 },
    ]
    expect(kinds(all)).toEqual([])
    expect(kinds([...all, { id: 'a', at: 20 }])).toEqual(['again'])
    expect(kinds(all.slice(0, 2))).toEqual(['lost'])
    expect(kinds([...all, { id: 'x', at: 20 }])).toEqual(['phantom'])
    expect(kinds([{ id: 'c', at: 9 }, ...all])).toEqual(['order'])
  })
})

describe('lease', () => {
  const token = fc.bigInt(1n, 4n)
  const name = fc.constantFrom('x', 'y')
  it('agrees with the definition', () =>
    compared(
      fc.record({
        grants: fc.array(
          fc
            .tuple(name, token, interval)
            .map(([of, value, times]) => ({ name: of, token: value, ...times })),
          { maxLength: 3 },
        ),
        accepted: fc.uniqueArray(fc.record({ name, token, at: fc.nat(20) }), {
          selector: ({ at }) => at,
          maxLength: 3,
        }),
      }),
      ({ grants, accepted }) => checkLease(grants, accepted),
      ({ grants, accepted }) =>
        grants.some((a, i) =>
          grants.some(
            (b, j) =>
              i !== j &&
              a.name === b.name &&
              (a.token === b.token || (a.returnedAt < b.calledAt && a.token > b.token)),
          ),
        ) ||
        accepted.some((a) =>
          accepted.some((b) => a.name === b.name && a.at < b.at && a.token > b.token),
        ),
    ))

  it('a late write of a paused holder that the resource let through', () => {
    const accepted = [1n, 2n, 1n].map((value, at) => ({ name: 'x', token: value, at }))
    expect(checkLease([], accepted).counts).toEqual({ 'accepted out of order': 1 })
  })

  it('what was accepted wrongly is no measure for the next', () => {
    const accepted = [5n, 3n, 4n].map((token, at) => ({ name: 'a', token, at }))
    expect(checkLease([], accepted).counts).toEqual({ 'accepted out of order': 2 })
  })

  it('a token that nobody was granted', () => {
    const accepted = [{ name: 'x', token: 7n, at: 1 }]
    expect(checkLease([], accepted).verdict).toBe('ok')
    expect(checkLease([], accepted, true).counts).toEqual({ 'never granted': 1 })
  })
})

describe('totals', () => {
  it('bank: a read in the middle of a transfer', () => {
    const options = { accounts: ['a', 'b'], total: 100n }
    const read = (a: bigint, b: bigint) =>
      new Map([
        ['a', a],
        ['b', b],
      ])
    expect(checkBank([read(50n, 50n), read(0n, 100n)], options).verdict).toBe('ok')
    expect(checkBank([read(40n, 50n)], options).counts).toEqual({ 'wrong total': 1 })
    expect(checkBank([read(-10n, 110n)], options).counts).toEqual({ 'negative balance': 1 })
    expect(checkBank([new Map([['a', 100n]])], options).counts).toEqual({ 'missing account': 1 })
    expect(checkBank([], options).verdict).toBe('unknown')
  })

  it('unique ids', () => {
    expect(checkUniqueIds([1, 2, 3n, '3']).verdict).toBe('ok')
    expect(checkUniqueIds([1, 2, 1]).verdict).toBe('violation')
  })

  it('counter: what is linearizable passes', () => {
    const histories = fc
      .tuple(
        fc.array(
          fc.tuple(fc.constantFrom(1n, 2n), interval, fc.boolean()).map(
            ([amount, times, open]): Operation<CounterInput, CounterOutput> => ({
              process: 0,
              input: { type: 'add', amount },
              ...times,
              ...(open ? { returnedAt: Infinity } : {}),
            }),
          ),
          { maxLength: 4 },
        ),
        fc.array(
          fc.tuple(fc.bigInt(0n, 6n), interval).map(
            ([output, times]): Operation<CounterInput, CounterOutput> => ({
              process: 1,
              input: { type: 'read' },
              output,
              ...times,
            }),
          ),
          { minLength: 1, maxLength: 2 },
        ),
      )
      .map(([adds, reads]) => [...adds, ...reads])
    let met = 0
    fc.assert(
      fc.property(histories, (history) => {
        if (!linearizableByDefinition(history, counter())) return
        met += 1
        expect(checkCounter(history).verdict).toBe('ok')
      }),
      { numRuns: 1_000 },
    )
    expect(met).toBeGreaterThan(100)
  })

  it('counter: too low and too high', () => {
    const add = (amount: bigint, at: number) => ({
      process: 0,
      input: { type: 'add' as const, amount },
      calledAt: at,
      returnedAt: at + 1,
    })
    const read = (output: bigint, at: number) => ({
      process: 1,
      input: { type: 'read' as const },
      output,
      calledAt: at,
      returnedAt: at + 1,
    })
    expect(checkCounter([add(5n, 0), read(4n, 3)]).counts).toEqual({ 'too low': 1 })
    expect(checkCounter([add(5n, 0), read(6n, 3)]).counts).toEqual({ 'too high': 1 })
    expect(checkCounter([add(5n, 0), add(-2n, 3), read(5n, 3)]).verdict).toBe('ok')
    expect(checkCounter([add(5n, 0), add(-2n, 3), read(2n, 3)]).verdict).toBe('violation')
  })
})

describe('grow-only set', () => {
  const value = fc.constantFrom(1, 2, 3)
  const histories = fc.record({
    adds: fc.array(
      fc.tuple(value, interval).map(([of, times]): Added => ({ value: of, ...times })),
      { maxLength: 3 },
    ),
    reads: fc.array(
      fc
        .tuple(fc.uniqueArray(value), interval)
        .map(([values, times]): ReadAll => ({ values, ...times })),
      { maxLength: 3 },
    ),
  })
  it('agrees with the definition', () =>
    compared(
      histories,
      ({ adds, reads }) => checkGrowOnlySet(adds, reads),
      ({ adds, reads }) =>
        reads.some((read) =>
          read.values.some(
            (of) => !adds.some((add) => add.value === of && add.calledAt <= read.returnedAt),
          ),
        ) ||
        reads.some((read) =>
          [
            ...adds.map((add) => [add.value, add.returnedAt] as const),
            ...reads.flatMap((other) =>
              other.values
                .filter((of) =>
                  adds.some((add) => add.value === of && add.calledAt <= other.returnedAt),
                )
                .map((of) => [of, other.returnedAt] as const),
            ),
          ].some(([of, since]) => since < read.calledAt && !read.values.includes(of)),
        ),
    ))

  it('lost and stale are told apart', () => {
    const adds = [{ value: 1, calledAt: 0, returnedAt: 1 }]
    const read = (values: number[], at: number) => ({ values, calledAt: at, returnedAt: at + 1 })
    expect(checkGrowOnlySet(adds, [read([], 2), read([1], 4)]).counts).toEqual({ stale: 1 })
    expect(checkGrowOnlySet(adds, [read([1], 2), read([], 4)]).counts).toEqual({ lost: 1 })
    expect(checkGrowOnlySet(adds, [read([1, 1], 2)]).counts).toEqual({ twice: 1 })
  })
})
