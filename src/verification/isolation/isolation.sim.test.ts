import { assert, check, constantFrom, integer, property, record } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkIsolation } from './check.ts'
import type { IsolationLevel } from './levels.ts'
import { anyOrder, explainable, explainableBySnapshots, realTime, sessions } from './oracle.sim.ts'
import { chance, recordedHistory, type StoreKind } from './stores.sim.ts'
import type { ListStep, ListTransaction, RegisterTransaction, Transaction } from './transaction.ts'

const models = ['list-append', 'rw-register'] as const

/** The strongest level each store has, and what it is known not to have. */
const promises: Readonly<Record<StoreKind, { has: IsolationLevel; not: IsolationLevel }>> = {
  serializable: { has: 'strict-serializable', not: 'strict-serializable' },
  snapshot: { has: 'strong-snapshot-isolation', not: 'serializable' },
  'stale-snapshot': { has: 'snapshot-isolation', not: 'strong-session-snapshot-isolation' },
  'read-committed': { has: 'read-committed', not: 'repeatable-read' },
  'read-uncommitted': { has: 'read-uncommitted', not: 'read-committed' },
}
const kinds = Object.keys(promises) as StoreKind[]

describe.each(models)('G-14: %s histories of stores whose level is known', (model) => {
  it.each(kinds)('%s: has what it promises, and is seen not to have more', (kind) => {
    const { has, not } = promises[kind]
    const seen = new Set<string>()
    for (let seed = 1; seed <= 40; seed++) {
      const history = recordedHistory({
        kind,
        model,
        seed,
        transactions: 60,
        processes: 5,
        keys: 3,
        stepsMax: 4,
        unknownPercent: 5,
      })
      const { levels, anomalies } = checkIsolation(history, { model })
      expect(levels[has], `seed ${seed}: ${anomalies[0]?.words}`).toBe('ok')
      if (levels[not] === 'violation') seen.add(not)
    }
    if (kind !== 'serializable') expect([...seen]).toEqual([not])
  })
})

const shape = record({
  seed: integer({ min: 1, max: 2 ** 30 }),
  kind: constantFrom(...kinds),
  transactions: integer({ min: 1, max: 6 }),
  processes: integer({ min: 1, max: 3 }),
  keys: integer({ min: 1, max: 2 }),
  unknownPercent: constantFrom(0, 20),
})

/** Changes one read at random: into something that may or may not still be explained. */
function disturbed(history: readonly Transaction[], seed: number): readonly Transaction[] {
  const random = chance(seed)
  const victim = random(history.length)
  return history.map((transaction, index) => {
    if (index !== victim) return transaction
    const steps = transaction.steps.map((step) => {
      if (step.kind !== 'read' || !Array.isArray(step.value)) return step
      return { ...step, value: step.value.slice(0, random(step.value.length + 1)) }
    })
    return { ...transaction, steps } as Transaction
  })
}

describe('G-14, IS-5: beside an oracle that tries every order', () => {
  // What a list shows is complete once every append is read: then both must agree, both ways.
  function withFinalReads(history: readonly ListTransaction[]): readonly ListTransaction[] {
    const longest = new Map<unknown, ListStep>()
    for (const { steps, status } of history) {
      for (const step of steps) {
        if (step.kind === 'append' || status !== 'committed') continue
        const known = longest.get(step.key)
        const length = known?.kind === 'read' ? (known.value?.length ?? 0) : -1
        if ((step.value?.length ?? 0) > length) longest.set(step.key, step)
      }
    }
    const seen = (step: ListStep): boolean => {
      const read = longest.get(step.key)
      return (
        read?.kind === 'read' && step.kind === 'append' && read.value?.includes(step.value) === true
      )
    }
    return history.map((transaction) => ({
      ...transaction,
      steps: transaction.steps.filter((step) => step.kind === 'read' || seen(step)),
    }))
  }

  const cases = [
    ['serializable', anyOrder],
    ['strong-session-serializable', sessions],
    ['strict-serializable', realTime],
  ] as const

  it.each(cases)('list-append, every append read: %s agrees both ways', (level, order) => {
    let [explained, refuted] = [0, 0]
    assert(
      property(shape, integer(), ({ seed, ...rest }, disturbance) => {
        const options = { ...rest, model: 'list-append', seed, stepsMax: 3 } as const
        const recorded = recordedHistory(options) as readonly ListTransaction[]
        const raw = disturbance % 2 === 0 ? recorded : disturbed(recorded, disturbance)
        const history = withFinalReads(raw as readonly ListTransaction[])
        const report = checkIsolation(history, { model: 'list-append', level })
        const expected = explainable(history, order)
        if (expected) explained += 1
        else refuted += 1
        // Repeatable reads within a transaction and all else show as some anomaly of this level.
        if (report.problem?.code === 'empty' && report.anomalies.length === 0) {
          return expected
        }
        return (report.verdict === 'violation') === !expected
      }),
      { numRuns: 1_500 },
    )
    expect(explained).toBeGreaterThan(50)
    expect(refuted).toBeGreaterThan(50)
  })

  const snapshotCases = [
    ['snapshot-isolation', anyOrder],
    ['strong-session-snapshot-isolation', sessions],
    ['strong-snapshot-isolation', realTime],
  ] as const

  it.each(snapshotCases)('list-append, every append read: %s agrees both ways', (level, order) => {
    let [explained, refuted] = [0, 0]
    const small = record({
      seed: integer({ min: 1, max: 2 ** 30 }),
      kind: constantFrom(...kinds),
      transactions: integer({ min: 2, max: 5 }),
      processes: integer({ min: 1, max: 3 }),
      keys: integer({ min: 1, max: 2 }),
    })
    assert(
      property(small, integer(), ({ seed, ...rest }, disturbance) => {
        const options = { ...rest, model: 'list-append', seed, stepsMax: 3 } as const
        const recorded = recordedHistory(options) as readonly ListTransaction[]
        const raw = disturbance % 2 === 0 ? recorded : disturbed(recorded, disturbance)
        const history = withFinalReads(raw as readonly ListTransaction[]).filter(
          ({ status }) => status === 'committed',
        )
        const report = checkIsolation(history, { model: 'list-append', level })
        const expected = explainableBySnapshots(history, order)
        if (expected) explained += 1
        else refuted += 1
        return (report.verdict === 'violation') === !expected
      }),
      { numRuns: 1_500 },
    )
    expect(explained).toBeGreaterThan(50)
    expect(refuted).toBeGreaterThan(50)
  })

  it.each(cases)('list-append, as recorded: %s never alarmed in vain', (level, order) => {
    assert(
      property(shape, integer(), ({ seed, ...rest }, disturbance) => {
        const recorded = recordedHistory({ ...rest, model: 'list-append', seed, stepsMax: 3 })
        const history = disturbed(recorded, disturbance) as readonly ListTransaction[]
        const report = checkIsolation(history, { model: 'list-append', level })
        return report.verdict !== 'violation' || !explainable(history, order)
      }),
      { numRuns: 1_000 },
    )
  })

  it.each(cases)('rw-register: %s never alarmed in vain', (level, order) => {
    let refuted = 0
    assert(
      property(shape, ({ seed, ...rest }) => {
        const options = { ...rest, model: 'rw-register', seed, stepsMax: 3 } as const
        const history = recordedHistory(options) as readonly RegisterTransaction[]
        const report = checkIsolation(history, { model: 'rw-register', level })
        if (report.verdict === 'violation') refuted += 1
        return report.verdict !== 'violation' || !explainable(history, order)
      }),
      { numRuns: 1_000 },
    )
    expect(refuted).toBeGreaterThan(10)
  })

  // G-14 (d): the oracle must notice a judge that is wrong, or its silence means nothing.
  const strict = { model: 'list-append' } as const
  const verdictAt = (history: readonly Transaction[], level: IsolationLevel): boolean =>
    checkIsolation(history, { ...strict, level }).verdict === 'violation'
  const brokenJudges: readonly [string, (history: readonly Transaction[]) => boolean][] = [
    ['ignores real time', (history) => verdictAt(history, 'serializable')],
    [
      'takes sessions for all of time',
      (history) => verdictAt(history, 'strong-session-serializable'),
    ],
    ['takes snapshots for an order', (history) => verdictAt(history, 'strong-snapshot-isolation')],
    [
      'does not look at reads of nothing',
      (history) =>
        verdictAt(
          history.map(({ steps, ...rest }) => {
            const some = steps.filter(({ kind, value }) => {
              return kind !== 'read' || (Array.isArray(value) && value.length > 0)
            })
            return { ...rest, steps: some }
          }),
          'strict-serializable',
        ),
    ],
    [
      'trusts what failed',
      (history) =>
        verdictAt(
          history.map((transaction) => ({ ...transaction, status: 'committed', returnedAt: 1e9 })),
          'strict-serializable',
        ),
    ],
  ]

  it.each(brokenJudges)('G-14 (d): notices a judge that %s', (_, judge) => {
    const disagrees = property(shape, integer(), ({ seed, ...rest }, disturbance) => {
      const options = { ...rest, model: 'list-append', seed, stepsMax: 3 } as const
      const recorded = recordedHistory(options) as readonly ListTransaction[]
      const history = withFinalReads(
        (disturbance % 2 === 0 ? recorded : disturbed(recorded, disturbance)) as typeof recorded,
      )
      return judge(history) === !explainable(history, realTime)
    })
    // The same runs every time: how rare a history that tells them apart is differs from judge to judge.
    expect(check(disagrees, { numRuns: 5_000, seed: 1 }).failed).toBe(true)
  })
})
