import { describe, expect, it } from 'vitest'
import { checkIsolation, type IsolationReport } from './check.ts'
import { registers } from './notation.sim.ts'
import type { RegisterAssumptions } from './register-index.ts'

const assuming =
  (assumptions: RegisterAssumptions) =>
  (...lines: readonly string[]): IsolationReport =>
    checkIsolation(registers(...lines), { model: 'rw-register', assumptions })

const judge = assuming({})

const names = (report: IsolationReport): readonly string[] => [
  ...new Set(report.anomalies.map(({ name }) => name)),
]

describe('registers: the published examples of Elle, by hand', () => {
  it.each([
    ['G1a', 'read-committed', ['rx1', '! wx1']],
    ['G1b', 'read-committed', ['wx1 wx2', 'rx1']],
    ['G1c', 'read-committed', ['wx1 ry1', 'wy1 rx1']],
    ['internal', 'read-atomic', ['wx1', 'rx1 wx2 rx1']],
    ['internal', 'read-atomic', ['rx_ rx2', 'wx2']],
    ['G-single', 'repeatable-read', ['rx_ ry1', 'wy1 wx2']],
    ['lost-update', 'repeatable-read', ['wx0', 'rx0 wx1', 'rx0 wx2']],
    ['G2-item', 'repeatable-read', ['rx_ wy1', 'ry_ wx1']],
    ['future-read', 'read-committed', ['rx1 wx1']],
    ['garbage-read', 'read-uncommitted', ['wx1', 'rx2']],
    ['observed-transaction-vanishes', 'monotonic-atomic-view', ['wx1 wy1', 'rx1 ry_']],
  ] as const)('%s breaks %s first: %j', (name, level, lines) => {
    const report = judge(...lines)
    const own = report.anomalies.find((anomaly) => anomaly.name === name)
    expect(names(report)).toContain(name)
    expect(own?.breaks[0]).toBe(level)
  })

  it('reads its own last write, and only that', () => {
    expect(names(judge('wy2', 'ry2 wx2 rx2 wx1 rx1'))).toEqual([])
  })

  it('chains over one and two registers', () => {
    expect(names(judge('rx0 wx1', 'rx1 wx0'))).toContain('G1c')
    expect(names(judge('rx0 wy1', 'ry1 wx0'))).toContain('G1c')
  })

  it('two blind writers prove nothing: their order is not known', () => {
    const report = judge('wx1 wy2', 'wx2 wy1')
    expect(report.problem?.code).toBe('empty')
    expect(names(report)).toEqual([])
  })
})

describe('registers: assumptions', () => {
  it('writes follow reads', () => {
    expect(names(judge('wy1', 'ry1 wx1 wy2', 'rx1 ry1'))).toContain('G-single')
    const without = assuming({ writesFollowReads: false })('wy1', 'ry1 wx1 wy2', 'rx1 ry1')
    expect(without.levels.serializable).toBe('ok')
  })

  it('writes follow reads proves nothing against read uncommitted', () => {
    const report = judge('wx1 ry2 wy3', 'wy2 rx1 wx4', 'rx1 ry2')
    expect(report.levels['read-uncommitted']).toBe('ok')
    expect(report.levels['read-committed']).toBe('violation')
  })

  it('the initial state', () => {
    const lines = ['rx_ ry1', 'wy1 wx2'] as const
    expect(assuming({ initialState: false })(...lines).levels.serializable).toBe('ok')
    // A store whose registers start at 1: nobody wrote it, and it comes before all writes.
    const started = assuming({ initialValue: 1 })('rx1 ry1', 'rx1 wy2', 'ry1 wx2')
    expect(names(started)).toEqual(['G2-item'])
  })

  it('linearizable keys is off: a stale register alone is no violation of serializability', () => {
    const lines = ['0@0-1 wx1', '0@2-3 wx2', '0@4-5 rx1'] as const
    expect(judge(...lines).levels.serializable).toBe('ok')
    const strict = assuming({ linearizableKeys: true })(...lines)
    expect(names(strict)).toContain('cyclic-versions')
    expect(strict.levels['read-uncommitted']).toBe('violation')
  })

  it('linearizable keys order blind writes', () => {
    const lines = ['0@0-1 wx1', '1@2-3 wx2', '2@0-9 rx1 wy1', '3@0-9 rx2 ry_'] as const
    expect(judge(...lines).verdict).toBe('ok')
    const linear = assuming({ linearizableKeys: true })
    expect(linear(...lines).levels.serializable).toBe('violation')
    expect(names(linear('0@0-1 wx1', '1@2-3 wx2 wy1', '2@0-9 ry1 rx1'))).toContain('G-single')
  })

  it('a value written twice names no writer', () => {
    const lines = ['wx1', 'wx1', 'rx1 wy1', 'ry1'] as const
    expect(judge(...lines).problem?.code).toBe('ambiguous')
    expect(judge(...lines).verdict).toBe('unknown')
    expect(assuming({ uniqueWrites: false })(...lines).verdict).toBe('ok')
  })

  it('a value written twice hides nothing else', () => {
    expect(judge('wx1', 'wx1', 'wx2 ry1', 'wy1 rx2').verdict).toBe('violation')
  })

  it('a transaction of unknown end counts once it is read, and its reads never', () => {
    expect(judge('? wx1 ry_', 'rx1', 'wy1').verdict).toBe('ok')
    expect(names(judge('? wx1 wy1', 'rx1 ry_'))).toContain('G-single')
  })
})
