/**
 * The whole shop in one simulated world: the services' own code, all on one machine as under
 * `holdfast up`, customers on theirs, and misfortune from a seed. Built, it can be run by hand:
 * `holdfast simulate build/shop/trial/scenario.js --seeds 1000`.
 */
import type { HoldfastNode } from 'holdfast'
import { silentObserver } from 'holdfast/observability'
import { type Runtime, sleep } from 'holdfast/runtime'
import type { Scenario, SimulateOptions, World } from 'holdfast/testing'
import { accountHandlers } from '../account/service.ts'
import { startAccount } from '../account/start.ts'
import { shopApi } from '../gateway/shop-api.ts'
import { openGateway } from '../gateway/start.ts'
import { inventoryHandlers } from '../inventory/service.ts'
import { startInventory } from '../inventory/start.ts'
import type { OrderVersion } from '../order/place-order.ts'
import { startOrder } from '../order/start.ts'
import { startPayment } from '../payment/start.ts'
import type { ShopContext } from '../shared/shop-node.ts'
import { type Account, customer } from './customers.ts'
import { frontClient, serveFront } from './front.ts'
import { auditor, lastWord } from './judge.ts'
import { roughDatabase, roughHandlers } from './rough.ts'

export interface ShopTrial {
  /** Of each of the two customers. Default 4. */
  readonly orders?: number
  /** When each instance of the order service goes from version 1 to version 2. Default: never. */
  readonly deployAtMs?: Readonly<Record<string, number>>
  /** Calls that come late or lose their answers (`rough.ts`). Default `false`. */
  readonly rough?: boolean
  /** May an instance fail to start and be started again, as on a full disk? Default `true`. */
  readonly mayFail?: boolean
  readonly variant?: ShopVariant
}

/** Parts put in place of the shop's own, to see whether the judges notice. */
export interface ShopVariant {
  readonly environment?: NonNullable<ShopContext['environment']>
  inventory?(runtime: Runtime): typeof inventoryHandlers
  account?(runtime: Runtime): typeof accountHandlers
  api?(runtime: Runtime): typeof shopApi
}

const dataFolder = '/shop'
const gateways = { 'gateway-1': 'shop:7001', 'gateway-2': 'shop:7002' } as const

export const options: SimulateOptions = {
  faults: [
    'kill',
    'pause',
    'machine-crash',
    'hint-loss',
    'slow-disk',
    'wall-clock-step',
    'stream-break',
    'partition',
  ],
  durationMs: 30_000,
  livenessMs: 180_000,
  faultsMax: 16,
}

export const scenario: Scenario = shopTrial()

export function shopTrial(trial: ShopTrial = {}): Scenario {
  return (world) => {
    const account: Account = { orders: [], restocked: new Map(), deposited: new Map() }
    openShop(world, trial)
    world.machine('shop').process('auditor', (runtime) => auditor(world, runtime, dataFolder))
    for (const name of ['u1', 'u2']) {
      world.client(name, (runtime) => {
        const front = frontClient(runtime, Object.values(gateways))
        const journey = { name, orders: trial.orders ?? 4, spreadMs: 20_000 }
        return customer(world, runtime, front, account, journey).finally(() => front.close())
      })
    }
    world.afterHealing(
      'the last word',
      (runtime) => lastWord(world, runtime, dataFolder, account),
      { machine: 'shop' },
    )
  }
}

function openShop(
  world: World,
  { rough = false, mayFail = true, variant = {}, deployAtMs = {} }: ShopTrial,
): void {
  const processes = {
    'inventory-1': inventory,
    'inventory-2': inventory,
    'account-1': account,
    'payment-1': startPayment,
    'order-1': startOrder,
    'order-2': startOrder,
    'gateway-1': (context) => gateway(context, gateways['gateway-1']),
    'gateway-2': (context) => gateway(context, gateways['gateway-2']),
  } satisfies Readonly<Record<string, (context: TrialContext) => Promise<HoldfastNode>>>

  function inventory(context: TrialContext): Promise<HoldfastNode> {
    const { runtime } = context
    const handlersOf = variant.inventory?.(runtime) ?? inventoryHandlers
    return startInventory(context, (database, environment) => {
      const handlers = handlersOf(database, environment)
      return rough ? roughHandlers(runtime, handlers) : handlers
    })
  }

  function account(context: TrialContext): Promise<HoldfastNode> {
    const { runtime } = context
    const handlersOf = variant.account?.(runtime) ?? accountHandlers
    return startAccount(context, (database) =>
      rough ? roughHandlers(runtime, handlersOf(database)) : handlersOf(database),
    )
  }

  async function gateway(context: TrialContext, listen: string): Promise<HoldfastNode> {
    const { runtime } = context
    const apiOf = variant.api?.(runtime) ?? shopApi
    const { node, api } = await openGateway({ ...context, hash: plainHash, listen }, (parts) =>
      apiOf(rough ? { ...parts, database: roughDatabase(runtime, parts.database) } : parts),
    )
    serveFront(node, api)
    await node.start()
    return node
  }

  for (const [instance, start] of Object.entries(processes)) {
    const deployMs = deployAtMs[instance]
    const run = async (runtime: Runtime, version: OrderVersion): Promise<() => Promise<void>> => {
      const closers: (() => Promise<void> | void)[] = []
      await start({
        instance,
        dataFolder,
        observer: silentObserver,
        runtime,
        environment: { SHOP_ORDER_VERSION: String(version), ...variant.environment },
        onStop: (close) => closers.push(close),
      })
      return async () => {
        for (const close of closers.reverse()) await close()
      }
    }
    const deployed = (): boolean => deployMs !== undefined && world.nowMs() >= deployMs
    world.machine('shop').process(
      instance,
      async (runtime) => {
        const close = await run(runtime, deployed() ? 2 : 1)
        if (deployMs !== undefined && !deployed()) {
          await sleep(runtime.timers, deployMs - world.nowMs())
          await close()
          await run(runtime, 2)
        }
        await new Promise(() => {})
      },
      { mayThrow: mayFail },
    )
  }
}

type TrialContext = ShopContext & { readonly runtime: Runtime }

/** FNV-1a twice, from both ends: good enough where nobody attacks. */
function plainHash(text: string): string {
  const half = (characters: readonly string[]): string => {
    let hash = 0xcbf29ce484222325n
    for (const character of characters) {
      hash = BigInt.asUintN(64, (hash ^ BigInt(character.codePointAt(0) ?? 0)) * 0x100000001b3n)
    }
    return hash.toString(16).padStart(16, '0')
  }
  return half([...text]) + half([...text].reverse())
}
