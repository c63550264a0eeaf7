/**
 * The sentinel of a redis-like store: it looks after two nodes, tells clients who is primary, and makes
 * the replica the primary when the primary has been silent for too long. It cannot know what the old
 * primary still had to pass on, nor whether it is dead or only out of reach; that is the whole hazard.
 */

import { type Link, link } from '../../drivers/cluster/link/link.ts'
import { linkServer } from '../../drivers/cluster/link/link-server.ts'
import { isHoldfastError } from '../../errors.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import { adminNamespace, type RedisInfo } from './redis-node.ts'

/** What the sentinels have agreed on. It outlives any of them. */
export interface RedisPlan {
  readonly nodes: readonly [string, string]
  primary: string
  failovers: number
  /** Fail over at the next round, as an operator may ask. */
  forced: boolean
}

export interface SentinelOptions {
  readonly address: string
  /** How long the primary must be silent. */
  readonly downAfterMs: number
}

const roundMs = 250

export async function redisSentinel(
  runtime: Runtime,
  plan: RedisPlan,
  { address, downAfterMs }: SentinelOptions,
): Promise<void> {
  const links = new Map<string, Link>(
    plan.nodes.map((node) => [
      node,
      link(runtime, {
        namespace: adminNamespace,
        address: () => node,
        connectTimeoutMs: roundMs,
        answerTimeoutMs: roundMs,
      }),
    ]),
  )
  const nowMs = (): number => runtime.clock.monotonicMs()
  let heardMs = nowMs()

  /** @returns `undefined` if there was no answer. */
  async function tell<Answer>(node: string, order: string, ...values: readonly unknown[]) {
    try {
      return await links.get(node)?.call<Answer>(order, ...values)
    } catch (error) {
      if (!isHoldfastError(error)) throw error
      return undefined
    }
  }

  async function failOver(node: string): Promise<void> {
    plan.forced = false
    plan.failovers += 1
    plan.primary = node
    heardMs = nowMs()
    await tell(node, 'promote')
  }

  async function round(): Promise<void> {
    const [one, two] = plan.nodes
    const spare = plan.primary === one ? two : one
    const infos = await Promise.all([
      tell<RedisInfo>(plan.primary, 'info'),
      tell<RedisInfo>(spare, 'info'),
    ])
    const [leading, waiting] = infos
    if (leading?.role === 'primary') heardMs = nowMs()
    const ready = waiting?.role === 'replica' && waiting.complete
    const overdue = nowMs() - heardMs > downAfterMs
    if (ready && (plan.forced || overdue)) return failOver(spare)
    // It was restarted, and nobody has its data: it begins anew, empty.
    if (leading?.role === 'none' && !ready) await tell(plan.primary, 'promote')
    if (leading?.role === 'replica') await tell(plan.primary, 'promote')
    if (waiting === undefined || leading?.role !== 'primary') return
    if (waiting.role === 'replica' && waiting.primary === plan.primary) return
    await tell(spare, 'replicaOf', plan.primary)
  }

  await linkServer(runtime, {
    address,
    service: async () => ({ calls: { primary: async () => plan.primary }, sources: {} }),
  })
  for (;;) {
    await round()
    await sleep(runtime.timers, roundMs)
  }
}

/** Asks the sentinel where the primary is. */
export async function primaryOf(runtime: Runtime, sentinel: string): Promise<string> {
  const asking = link(runtime, { namespace: adminNamespace, address: () => sentinel })
  try {
    return await asking.call<string>('primary')
  } finally {
    asking.close()
  }
}
