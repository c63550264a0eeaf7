import { env } from 'node:process'
import { describe, expect, it } from 'vitest'
import type { Disk, DiskFile } from '../../runtime/disk.ts'
import type { FaultKind, SimulationFailure } from '../../simulation/world.ts'
import { expectClean, simulate } from '../../testing/index.ts'
import { type StorageTrialOptions, storageTrial } from './storage.sim.ts'

const seeds = Number(env.HOLDFAST_SEEDS ?? 400)
const faults: readonly FaultKind[] = [
  'kill',
  'machine-crash',
  'torn-write',
  'disk-full',
  'sync-failure',
  'slow-disk',
]
const options = { faults, durationMs: 200, livenessMs: 60_000, faultsMax: 12 }

it('RF-1, RF-7, RF-10: no crash makes a member forget a vote, an entry or a snapshot', async () => {
  const report = await simulate({ ...options, seeds }, storageTrial())
  expectClean(report)
  expect(report.seedsThatCount).toBeGreaterThan(seeds * 0.6)
  for (const label of [
    'a snapshot was saved',
    'a segment was let go',
    'a snapshot was adopted',
    'a write was cut short',
    'a write that was cut short is there',
  ]) {
    expect(report.reached[label] ?? 0, label).toBeGreaterThan(seeds * 0.03)
  }
})

describe('planted bugs are found', () => {
  async function found(
    plant: StorageTrialOptions,
    kinds: readonly FaultKind[] = faults,
  ): Promise<SimulationFailure | undefined> {
    const given = { ...options, faults: kinds, seeds: 400 }
    const report = await simulate(given, storageTrial(plant))
    return report.failures[0]
  }

  it('RF-1: no sync', async () => {
    const disk = withFiles((file) => ({ ...file, sync: async () => {} }))
    expect((await found({ disk }))?.name).toMatch(/forgotten|refused/)
  })

  it('RF-7: a snapshot is put in place before it is synced', async () => {
    const disk = withFiles((file, path) =>
      path.includes('.snapshot') ? { ...file, sync: async () => {} } : file,
    )
    expect((await found({ disk }))?.name).toMatch(/refused|picture/)
  })

  it('RF-7: the log is cut before the name of the snapshot is durable', async () => {
    const disk = (real: Disk): Disk => ({
      ...real,
      syncDirectory: async (path) => {
        if (!path.endsWith('snapshots')) await real.syncDirectory(path)
      },
    })
    expect((await found({ disk }))?.name).toMatch(/refused|forgotten/)
  })

  it('RF-1: a vote is not synced', async () => {
    const plant: StorageTrialOptions = {
      storage: (storage) => ({
        ...storage,
        write: (batch) =>
          storage.write(batch.map((one) => ({ ...one, sync: one.entries.length > 0 }))),
      }),
    }
    expect((await found(plant, ['machine-crash']))?.name).toBe('forgotten')
  })
})

function withFiles(change: (file: DiskFile, path: string) => DiskFile): (disk: Disk) => Disk {
  return (disk) => ({
    ...disk,
    open: async (path, mode) => change(await disk.open(path, mode), path),
  })
}
