/**
 * What a service of the shop finds around it when it runs as a process: the environment, and the drivers that
 * were chosen when the shop was brought up.
 */
import process from 'node:process'
import type { ServiceContext } from 'holdfast/cli'
import { cluster } from 'holdfast/drivers/cluster'
import { clusterPlan } from '../cluster/cluster-plan.ts'
import type { ShopContext } from './shop-node.ts'

export async function onThisMachine(context: ServiceContext): Promise<ShopContext> {
  return { ...context, drivers: await driversOf(context), environment: process.env }
}

/** Ports whose driver is `embedded` are left to whoever opens the node: it knows the file. */
async function driversOf({
  dataFolder,
  drivers,
}: ServiceContext): Promise<NonNullable<ShopContext['drivers']>> {
  const { leases, registry, records } = drivers
  if (![leases, registry, records].includes('cluster')) return {}
  const { members, secret } = await clusterPlan(dataFolder)
  // One driver for all its ports: one connection, one session.
  const driver = cluster({ members: Object.values(members), secret })
  return {
    ...(leases === 'cluster' ? { leases: driver } : {}),
    // Long enough for a few elections on a busy machine: a service that lives is not to be taken for dead.
    ...(registry === 'cluster' ? { registry: driver, registrationTtlMs: 10_000 } : {}),
    ...(records === 'cluster' ? { records: driver } : {}),
  }
}
