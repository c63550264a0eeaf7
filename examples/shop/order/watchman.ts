/**
 * One instance of the order service at a time watches the queue, under a lock: it puts orders that died
 * as letters back, so that no accepted order is forgotten. If it dies, another takes over with a higher
 * token.
 */
import type { HoldfastNode } from 'holdfast'
import type { Queue } from 'holdfast/messaging'
import { sleep } from 'holdfast/runtime'
import type { PlacedOrder } from '../shared/contracts.ts'
import type { ShopContext } from '../shared/shop-node.ts'

const lookEveryMs = 5_000

export function watchman(
  { onStop }: Pick<ShopContext, 'onStop'>,
  { runtime, lock }: HoldfastNode,
  queue: Queue<PlacedOrder>,
): void {
  const stopping = new AbortController()
  const { signal } = stopping

  async function watch(): Promise<void> {
    while (!signal.aborted) {
      const held = await lock('order-watchman', { ttlMs: 5_000, signal })
      try {
        while (held.isHeld() && !signal.aborted) {
          const dead = await queue.deadLetters({ limit: 100 })
          // Putting a letter back twice puts it back once, so a watchman who lost the lock does no harm.
          if (dead.length > 0) await queue.redrive(dead.map(({ message }) => message.id))
          await sleep(runtime.timers, lookEveryMs, {
            signal: AbortSignal.any([signal, held.signal]),
          })
        }
      } finally {
        await held.release()
      }
    }
  }

  const watching = (async () => {
    while (!signal.aborted) {
      await watch().catch(() => {})
      await sleep(runtime.timers, 500, { signal }).catch(() => {})
    }
  })()
  onStop(async () => {
    stopping.abort()
    await watching
  })
}
