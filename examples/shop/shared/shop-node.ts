/**
 * What every service of the shop has in common: a node on the shop's shared file, closed with the
 * process.
 */
import { join } from 'node:path'
import { type HoldfastNode, type HoldfastOptions, holdfast } from 'holdfast'
import type { ServiceContext } from 'holdfast/cli'

/** The registry, the locks and the queues of the shop live in one file; each service has its own besides. */
export async function shopNode(
  context: ServiceContext,
  options: Omit<HoldfastOptions, 'namespace' | 'path' | 'process' | 'observer'> = {},
): Promise<HoldfastNode> {
  const { instance, dataFolder, observer, onStop } = context
  const path = join(dataFolder, 'platform.db')
  const node = await holdfast({ ...options, namespace: 'shop', path, process: instance, observer })
  onStop(() => node.close())
  return node
}

/** Calls between services: long enough for an instance to be replaced, short enough to notice. */
export const callOptions = { timeoutMs: 5_000, attemptsMax: 4, waitForReadyMs: 2_000 } as const
