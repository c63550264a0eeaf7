/**
 * What every service of the shop has in common: a node on the shop's shared file, closed with the
 * process.
 */
import { type HoldfastNode, type HoldfastOptions, holdfast, type PortDrivers } from 'holdfast'
import type { ServiceContext } from 'holdfast/cli'
import type { Runtime } from 'holdfast/runtime'

/** What an instance is given. A process of this machine and one of the simulator are started alike. */
export interface ShopContext extends Omit<ServiceContext, 'service' | 'drivers'> {
  /** Where the platform is kept, where it is not in the shop's own files, and what that asks for. */
  readonly drivers?: PortDrivers & Pick<HoldfastOptions, 'registrationTtlMs'>
  /** Default: the real machine. */
  readonly runtime?: Runtime
  /** `SHOP_ORDER_VERSION`, `SHOP_WAITING_MAX`, `HOLDFAST_SHOP_BUG`. Default: none is set. */
  readonly environment?: Readonly<Record<string, string | undefined>>
}

/** The registry, the locks and the queues of the shop live in one file; each service has its own besides. */
export async function shopNode(
  context: ShopContext,
  options: Omit<HoldfastOptions, 'namespace' | 'path' | 'process' | 'observer' | 'runtime'> = {},
): Promise<HoldfastNode> {
  const { instance, dataFolder, observer, runtime, drivers, onStop } = context
  const node = await holdfast({
    ...options,
    ...drivers,
    namespace: 'shop',
    path: `${dataFolder}/platform.db`,
    process: instance,
    observer,
    ...(runtime ? { runtime } : {}),
  })
  onStop(() => node.close())
  return node
}

/** Calls between services: long enough for an instance to be replaced, short enough to notice. */
export const callOptions = { timeoutMs: 5_000, attemptsMax: 4, waitForReadyMs: 2_000 } as const
