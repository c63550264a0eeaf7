import { describe, expect, it } from 'vitest'
import { checkIsolation, type IsolationReport } from './check.ts'
import type { IsolationLevel } from './levels.ts'
import { lists } from './notation.sim.ts'

const judge = (...lines: readonly string[]): IsolationReport =>
  checkIsolation(lists(...lines), { model: 'list-append' })

const names = (report: IsolationReport): readonly string[] => [
  ...new Set(report.anomalies.map(({ name }) => name)),
]

/** The weakest levels that are broken: nothing below them is. */
const weakest = (report: IsolationReport): readonly IsolationLevel[] => {
  const broken = (Object.keys(report.levels) as IsolationLevel[]).filter(
    (level) => report.levels[level] === 'violation',
  )
  return broken.slice(0, 1)
}

describe('G-14 (b): the published examples of Elle, by hand', () => {
  // README: "T1 appends 1 to x and observes y = [1] …" is G1c, not read committed.
  it('README: circular information flow', () => {
    const report = judge('ax1 ry1', 'ax2 ay1', 'rx12')
    expect(names(report)).toEqual(['G1c'])
    expect(report.levels['read-uncommitted']).toBe('ok')
    expect(weakest(report)).toEqual(['read-committed'])
    expect(report.anomalies[0]?.transactions.toSorted()).toEqual([0, 1])
    expect(report.anomalies[0]?.words).toContain('T0 read y = [1], whose 1 T1 had appended')
    expect(report.anomalies[0]?.words).toContain('T1 appended 2 to x right after T0 had appended 1')
  })

  // Paper, section 3.1 (TiDB): three transactions around 253, 255 and 256 read skewed.
  it('paper: read skew in TiDB', () => {
    const list = (key: number, ...value: readonly number[]) =>
      ({ kind: 'read', key, value }) as const
    const add = (key: number, value: number) => ({ kind: 'append', key, value }) as const
    const shape = { status: 'committed', calledAt: 0, returnedAt: 9 } as const
    const first = [1, 3, 4].map((value) => add(253, value))
    const second = [2, 3, 4, 5].map((value) => add(255, value))
    const third = [1, 2].map((value) => add(256, value))
    const report = checkIsolation(
      [
        { ...shape, process: 0, steps: [...first, ...second, ...third] },
        { ...shape, process: 1, steps: [add(255, 8), list(253, 1, 3, 4)] },
        {
          ...shape,
          process: 2,
          steps: [add(256, 4), list(255, 2, 3, 4, 5, 8), list(256, 1, 2, 4), list(253, 1, 3, 4)],
        },
        {
          ...shape,
          process: 3,
          steps: [add(250, 10), list(253, 1, 3, 4), list(255, 2, 3, 4, 5), add(256, 3)],
        },
      ],
      { model: 'list-append' },
    )
    expect(names(report)).toEqual(['G-single'])
    expect(report.anomalies[0]?.transactions.toSorted()).toEqual([1, 2, 3])
    expect(report.levels['snapshot-isolation']).toBe('violation')
    expect(report.levels['read-committed']).toBe('ok')
  })

  it.each([
    ['G0', 'read-uncommitted', ['ax1 ay1', 'ax2 ay2', 'rx12 ry21']],
    ['G1a', 'read-committed', ['! ax1', 'rx1']],
    ['G1b', 'read-committed', ['ax1 ax2', 'rx1']],
    ['G1c', 'read-committed', ['ax1 ry1', 'ax2 ay1', 'rx12 ry1']],
    ['G-single', 'repeatable-read', ['ax1 ay1', 'ax2 ry', 'rx12']],
    ['G2-item', 'repeatable-read', ['ax1 ry', 'ay1 rx']],
    ['G-nonadjacent', 'repeatable-read', ['ax1', 'rx1 ry', 'ay1', 'ry1 rx']],
    ['lost-update', 'repeatable-read', ['ax0', 'rx0 ax1', 'rx0 ax2']],
    ['dirty-update', 'read-committed', ['! ax1', 'ax2', 'rx12']],
    ['dirty-update', 'read-committed', ['! ax1', '? ax2', 'ax3', 'rx123']],
    ['incompatible-order', 'read-committed', ['ax1 ry1', 'ax2', 'ax3 ay1', 'rx13', 'rx123']],
    ['duplicate-elements', 'read-uncommitted', ['ax1 ry1', 'ax2 ay1', 'rx121']],
    ['internal', 'read-atomic', ['rx12 ax3 rx12', 'ax1', 'ax2']],
    ['future-read', 'read-committed', ['rx1 ax1']],
    ['garbage-read', 'read-uncommitted', ['ax1', 'rx12']],
  ] as const)('%s breaks %s first: %j', (name, level, lines) => {
    const report = judge(...lines)
    expect(names(report)).toContain(name)
    const own = report.anomalies.find((anomaly) => anomaly.name === name)
    expect(own?.breaks[0]).toBe(level)
    expect(report.levels[level]).toBe('violation')
  })

  it('a write cycle also shows as read skew when a read misses a write', () => {
    expect(names(judge('ax1 ay1', 'ax2 ay2', 'ax3 ay3', 'rx12', 'ry2'))).toEqual(['G0', 'G-single'])
  })

  it('write skew leaves snapshot isolation standing, skewed reads do not', () => {
    expect(judge('ax1 ry', 'ay1 rx').levels['snapshot-isolation']).toBe('ok')
    expect(judge('ax1 ry', 'ay1 rx').levels.serializable).toBe('violation')
    expect(judge('ax1 ay1', 'ax2 ry', 'rx12').levels['snapshot-isolation']).toBe('violation')
  })

  it('adjacent anti-dependencies are no violation of snapshot isolation', () => {
    const report = judge('rx5 ry', 'ay1 rz', 'az2 at3', 'rt3 ru', 'au4 ax5')
    expect(report.levels['snapshot-isolation']).toBe('ok')
    expect(names(report)).toEqual(['G2-item'])
    // Its published neighbour: a nonadjacent search once reported a violation where there is none.
    const neighbour = judge('ax2', 'at1 rx', 'rs rt ax5', 'as2 rx2')
    expect(neighbour.levels['snapshot-isolation']).toBe('ok')
    expect(neighbour.levels['repeatable-read']).toBe('violation')
  })

  it('one transaction may append twice to what it read', () => {
    expect(judge('rx ax1 ax2', 'rx12').verdict).toBe('ok')
  })

  it('serializable as in figure 3 of Adya, Liskov and O’Neil', () => {
    expect(judge('az1 ax1 ay1', 'rx1 ay2', 'ry12 az3', 'rz13').verdict).toBe('ok')
  })

  it('what a transaction sees of itself', () => {
    expect(names(judge('ry56 ax3 rx123 ax4 rx1234', 'ay5', 'ay6', 'ax1', 'ax2'))).toEqual([])
    expect(names(judge('rx rx2', 'ax2'))).toContain('internal')
    expect(names(judge('ax6 rx', 'rx6'))).toContain('internal')
    expect(names(judge('ax3 rx1234', 'ax1', 'ax2', 'ax4'))).toContain('internal')
    expect(names(judge('ax1 rx01 ax0 ax3'))).toContain('future-read')
  })
})

describe('what is not known', () => {
  it('a transaction of unknown end counts once its append is read', () => {
    expect(judge('? ax1', 'rx1').verdict).toBe('ok')
    expect(names(judge('? ax1 ay1', 'ax2 ay2', 'rx12 ry21'))).toContain('G0')
  })

  it('what it claims to have read counts for nothing', () => {
    expect(judge('? ax2 ry', 'ax1 ay1', 'rx12 ry1').verdict).toBe('ok')
  })

  it('nothing tried is no proof', () => {
    const report = judge('ax1')
    expect(report.verdict).toBe('unknown')
    expect(report.problem?.code).toBe('empty')
  })

  it('an element appended twice leaves the history undecided', () => {
    const report = judge('ax1 ry', 'ay2 ax1')
    expect(report.verdict).toBe('unknown')
    expect(report.problem?.code).toBe('ambiguous')
  })
})

describe('sessions and real time', () => {
  it('a stale read after the end of a write breaks strict serializability only', () => {
    const report = judge('0@0-1 ax1', '1@2-3 ax2', '2@4-5 rx1', '3@6-7 rx12')
    expect(names(report)).toEqual(['G-single-realtime'])
    expect(report.levels['strong-session-serializable']).toBe('ok')
    expect(report.levels['strong-snapshot-isolation']).toBe('violation')
    expect(report.anomalies[0]?.words).toContain('T1 had returned before T2 was called')
  })

  it('a process that misses its own write breaks its session', () => {
    const report = judge('0@0-1 ax1', '1@2-3 ax2', '1@4-5 rx1', '2@6-7 rx12')
    expect(names(report)).toEqual(['G-single-process'])
    expect(report.levels.serializable).toBe('ok')
    expect(report.anomalies[0]?.words).toContain('process 1 did T1 before T2')
  })

  it('G-nonadjacent-process (Elle, issue 17)', () => {
    const report = judge('0@0-1 rx rz1', '1@2-3 ax1', '1@4-5 rz', '2@6-7 az1')
    const process = checkIsolation(lists('0@0-1 rx rz1', '1@2-3 ax1', '1@4-5 rz', '2@6-7 az1'), {
      model: 'list-append',
      realtime: false,
    })
    expect(names(process)).toEqual(['G-nonadjacent-process'])
    expect(report.levels['strong-session-snapshot-isolation']).toBe('violation')
    expect(report.levels.serializable).toBe('ok')
  })

  it('G1c-process (Elle, issue 21)', () => {
    const report = judge('1@0-1 rx1 ay1', '2@2-3 ry1', '2@4-5 ax1')
    expect(names(report)).toContain('G1c-process')
    expect(report.levels.serializable).toBe('ok')
  })

  it.each([
    ['G0-process', ['1@0-1 ax2', '1@2-3 ax1', '2@0-9 rx12']],
    ['G1c-process', ['1@0-1 rx1', '1@2-3 ax1']],
    ['G2-item-process', ['1@0-1 ay1', '1@2-3 rx', '2@0-9 ax1 ry']],
    ['G0-realtime', ['1@0-1 ax2', '2@2-3 ax1', '3@0-9 rx12']],
    ['G1c-realtime', ['1@0-1 rx1', '2@2-3 ax1']],
    ['G-nonadjacent-realtime', ['0@0-9 rx rz1', '1@2-3 ax1', '3@4-5 rz', '2@3-9 az1']],
    ['G2-item-realtime', ['1@0-1 ay1', '2@2-3 rx', '3@0-9 ax1 ry']],
  ] as const)('%s: %j', (name, lines) => {
    const report = judge(...lines)
    expect(names(report)).toContain(name)
    expect(report.levels.serializable).toBe('ok')
  })

  it('an order that is not to be judged is not', () => {
    const history = lists('0@0-1 ax1', '1@2-3 ax2', '2@4-5 rx1', '3@6-7 rx12')
    const report = checkIsolation(history, { model: 'list-append', realtime: false })
    expect(report.verdict).toBe('unknown')
    expect(report.levels['strong-session-serializable']).toBe('ok')
    const data = { model: 'list-append', process: false, realtime: false } as const
    const other = checkIsolation(history, { ...data, level: 'serializable' })
    expect(other.verdict).toBe('ok')
    expect(other.levels['strong-session-serializable']).toBe('unknown')
  })

  it('returning at the instant of a call is not before it', () => {
    expect(judge('0@0-5 ax1', '1@5-6 rx', '2@7-8 rx1').verdict).toBe('ok')
  })
})
