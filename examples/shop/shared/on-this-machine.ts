/**
 * What a service of the shop finds around it when it runs as a process: the environment, and the drivers that
 * were chosen when the shop was brought up.
 */
import process from 'node:process'
import type { PortDrivers } from 'holdfast'
import type { ServiceContext } from 'holdfast/cli'
import { cluster } from 'holdfast/drivers/cluster'
import { clusterPlan } from '../cluster/cluster-plan.ts'
import type { ShopContext } from './shop-node.ts'

export async function onThisMachine(context: ServiceContext): Promise<ShopContext> {
  return { ...context, drivers: await driversOf(context), environment: process.env }
}

/** Ports whose driver is `embedded` are left to whoever opens the node: it knows the file. */
async function driversOf({ dataFolder, drivers }: ServiceContext): Promise<PortDrivers> {
  const { leases, registry, records } = drivers
  if (![leases, registry, records].includes('cluster')) return {}
  const { members, secret } = await clusterPlan(dataFolder)
  // One driver for all its ports: one connection, one session.
  const driver = cluster({ members: Object.values(members), secret })
  return {
    ...(leases === 'cluster' ? { leases: driver } : {}),
    ...(registry === 'cluster' ? { registry: driver } : {}),
    ...(records === 'cluster' ? { records: driver } : {}),
  }
}
