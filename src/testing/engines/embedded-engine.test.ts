import { describe, expect, it } from 'vitest'
import { OutcomeUnknownError, UnavailableError } from '../../errors.ts'
import { CheckFailed } from '../../ports/check.ts'
import { leaseStoreConformance } from '../../ports/lease-store.conformance.ts'
import { recordStoreConformance } from '../../ports/record-store.conformance.ts'
import { registryConformance } from '../../ports/registry.conformance.ts'
import { workStoreConformance } from '../../ports/work-store.conformance.ts'
import { sleep } from '../../runtime/sleep.ts'
import { inVirtualTime } from '../index.ts'
import { type EmbeddedEngineStores, embeddedEngine } from './embedded-engine.ts'
import { runEngineCase, titleOf } from './engine-trial.ts'

const on = <Store>(pick: (stores: EmbeddedEngineStores) => Store) => ({
  engine: embeddedEngine,
  pick,
})

describe('embedded behind a network', () => {
  for (const one of leaseStoreConformance) {
    it(titleOf(one), () =>
      runEngineCase(
        one,
        on(({ leases }) => leases),
      ),
    )
  }
  for (const one of recordStoreConformance) {
    it(titleOf(one), () =>
      runEngineCase(
        one,
        on(({ records }) => records),
      ),
    )
  }
  for (const one of registryConformance) {
    it(titleOf(one), () =>
      runEngineCase(
        one,
        on(({ registry }) => registry),
      ),
    )
  }
  for (const one of workStoreConformance) {
    it(titleOf(one), async (context) => {
      const work = on((stores) => stores.work)
      const reason = await runEngineCase(one, work)
      if (reason !== undefined) context.skip(reason)
    })
  }
})

describe('the outcome of a failure on the way', () => {
  const put = { space: 's', key: 'k', value: '1', expected: 'absent' } as const

  it('G-1: a dead server is not-applied; a server that dies at work is unknown', () =>
    inVirtualTime(async (world, runtime) => {
      const served = embeddedEngine(world)
      await sleep(runtime.timers, 100)
      const { records } = served.connect(runtime)
      await records.get('s', 'k')
      const dying = records.put(put)
      served.process.kill()
      await expect(dying).rejects.toThrow(OutcomeUnknownError)
      await expect(records.put(put)).rejects.toThrow(UnavailableError)
      served.process.restart()
      await sleep(runtime.timers, 100)
      await expect(records.put({ ...put, expected: 'any' })).resolves.toBeTypeOf('bigint')
    }))

  it('G-1: behind a partition no connection is not-applied, a lost answer is unknown', () =>
    inVirtualTime(async (world, runtime) => {
      const served = embeddedEngine(world)
      await sleep(runtime.timers, 100)
      const { records } = served.connect(runtime)
      await records.get('s', 'k')
      world.faults.partition('store', 'machine', { oneWay: true })
      await expect(records.put(put)).rejects.toThrow(OutcomeUnknownError)
      await expect(records.put(put)).rejects.toThrow(UnavailableError)
      world.faults.heal()
      await sleep(runtime.timers, 2_000)
      expect((await records.get('s', 'k'))?.value, 'it had happened').toBe('1')
    }))

  it('G-14: an answer taken for sure is found out', async () => {
    const one = recordStoreConformance.find(({ shows }) => shows.includes('IK-4'))
    if (one === undefined) throw new Error('there is no case of putAll')
    const broken = (store: EmbeddedEngineStores['records']): typeof store => ({
      ...store,
      putAll: async (writes) =>
        Promise.all(writes.map(async (write) => (await store.put(write)) ?? 0n)),
    })
    await expect(runEngineCase(one, { ...on(({ records }) => records), broken })).rejects.toThrow(
      CheckFailed,
    )
  })
})
