import { describe, it } from 'vitest'
import { leaseStoreConformance } from '../../ports/lease-store.conformance.ts'
import { recordStoreConformance } from '../../ports/record-store.conformance.ts'
import { registryConformance } from '../../ports/registry.conformance.ts'
import { runEngineCase, titleOf } from '../../testing/engines/engine-trial.ts'
import type { ClusterStores } from './cluster.ts'
import { clusterWorld } from './cluster-world.sim.ts'

describe('three members in virtual time: leases', () => {
  for (const one of leaseStoreConformance) {
    it(titleOf(one), async ({ skip }) => {
      const pick = ({ leases }: ClusterStores): ClusterStores['leases'] => leases
      const reason = await runEngineCase(one, { engine: (world) => clusterWorld(world), pick })
      if (reason !== undefined) skip(reason)
    })
  }
})

describe('three members in virtual time: registry', () => {
  for (const one of registryConformance) {
    it(titleOf(one), async ({ skip }) => {
      const pick = ({ registry }: ClusterStores): ClusterStores['registry'] => registry
      const reason = await runEngineCase(one, { engine: (world) => clusterWorld(world), pick })
      if (reason !== undefined) skip(reason)
    })
  }
})

describe('three members in virtual time: records', () => {
  for (const one of recordStoreConformance) {
    it(titleOf(one), async ({ skip }) => {
      const pick = ({ records }: ClusterStores): ClusterStores['records'] => records
      const reason = await runEngineCase(one, { engine: (world) => clusterWorld(world), pick })
      if (reason !== undefined) skip(reason)
    })
  }
})
