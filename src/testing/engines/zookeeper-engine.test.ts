import { describe, it } from 'vitest'
import { leaseStoreConformance } from '../../ports/lease-store.conformance.ts'
import { registryConformance } from '../../ports/registry.conformance.ts'
import { runEngineCase, titleOf } from './engine-trial.ts'
import { type ZookeeperEngineStores, zookeeperEngine } from './zookeeper-engine.ts'

const on = <Store>(pick: (stores: ZookeeperEngineStores) => Store) => ({
  engine: zookeeperEngine,
  pick,
})
const leases = on((stores) => stores.leases)
const registry = on((stores) => stores.registry)

describe('zookeeper-like, in virtual time', () => {
  for (const one of leaseStoreConformance) {
    it(titleOf(one), async (context) => {
      const reason = await runEngineCase(one, leases)
      if (reason !== undefined) context.skip(reason)
    })
  }
  for (const one of registryConformance) it(titleOf(one), () => runEngineCase(one, registry))
})
