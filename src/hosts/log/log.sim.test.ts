import { env } from 'node:process'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Disk, DiskFile } from '../../runtime/disk.ts'
import type { Fault, FaultKind, SimulationFailure } from '../../simulation/world.ts'
import { expectClean, simulate } from '../../testing/index.ts'
import { type LogTrialOptions, logTrial } from './log.sim.ts'
import type { openLog } from './log.ts'

const seeds = Number(env.HOLDFAST_SEEDS ?? 1_000)
const faults: readonly FaultKind[] = [
  'kill',
  'machine-crash',
  'torn-write',
  'disk-full',
  'sync-failure',
  'slow-disk',
]
const options = { faults, durationMs: 150, livenessMs: 60_000, faultsMax: 12 }

it('RF-10: what was promised is there after any crash, and nothing else', async () => {
  const report = await simulate({ ...options, seeds }, logTrial())
  expectClean(report)
  expect(report.seedsThatCount).toBeGreaterThan(seeds * 0.6)
  for (const label of [
    'a new segment',
    'what was not promised is there',
    'what was not promised is gone',
  ]) {
    expect(report.reached[label] ?? 0, label).toBeGreaterThan(seeds * 0.05)
  }
})

describe('planted bugs are found', () => {
  afterEach(() => {
    vi.doUnmock('./checksum.ts')
    vi.doUnmock('./tail.ts')
    vi.resetModules()
  })

  async function found(
    plant: LogTrialOptions,
    plan?: readonly Fault[],
  ): Promise<SimulationFailure | undefined> {
    const given = plan === undefined ? options : { ...options, plan }
    const report = await simulate({ ...given, seeds: 300 }, logTrial(plant))
    return report.failures[0]
  }

  const failedSyncThenPowerCut: readonly Fault[] = [
    { id: 'a', kind: 'sync-failure', target: 'm', atMs: 10, durationMs: 30, amount: 0.5 },
    { id: 'b', kind: 'machine-crash', target: 'm', atMs: 70, durationMs: 10 },
  ]

  it('no sync', async () => {
    const disk = withFiles((file) => ({ ...file, sync: async () => {} }))
    expect((await found({ disk }))?.name).toMatch(/lost|refused/)
  })

  it('names are not synced', async () => {
    const disk = (real: Disk): Disk => ({ ...real, syncDirectory: async () => {} })
    expect((await found({ disk }))?.name).toMatch(/lost|refused/)
  })

  it('what no later record proves durable is not written again at opening', async () => {
    const disk = withFiles((file) => ({
      ...file,
      async writeAt(position, bytes) {
        const there = await file.readAt(position, bytes.length)
        if (Buffer.compare(there, bytes) !== 0) await file.writeAt(position, bytes)
      },
    }))
    expect((await found({ disk }, failedSyncThenPowerCut))?.name).toMatch(/lost|refused/)
    expect(await found({}, failedSyncThenPowerCut)).toBeUndefined()
  })

  it('a torn tail stays behind the new end', async () => {
    const disk = withFiles((file) => ({ ...file, truncate: async () => {} }))
    expect((await found({ disk }))?.name).toBeDefined()
  })

  it('no checksum', async () => {
    vi.doMock('./checksum.ts', () => ({ crc32c: () => 0 }))
    const changed: { openLog: typeof openLog } = await import('./log.ts')
    expect((await found({ open: changed.openLog }))?.name).toMatch(/invented|refused/)
  })

  it('anything whole behind the damage counts as proof: an honest crash is refused', async () => {
    vi.doMock('./tail.ts', async (original) => {
      const real = await original<typeof import('./tail.ts')>()
      const proofBehind: typeof real.proofBehind = (file, size, from, sequence) =>
        real.proofBehind(file, size, from, sequence - 4)
      return { proofBehind }
    })
    const changed: { openLog: typeof openLog } = await import('./log.ts')
    expect((await found({ open: changed.openLog }))?.name).toBe('refused')
  })
})

function withFiles(change: (file: DiskFile) => DiskFile): (disk: Disk) => Disk {
  return (disk) => ({ ...disk, open: async (path, mode) => change(await disk.open(path, mode)) })
}
