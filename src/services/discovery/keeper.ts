/**
 * Keeps the file of the last known list up to date without ever being in the way: one save at a time,
 * the newest list wins, at most one save a second, and a full disk is an event, not an error.
 */
import type { Observer } from '../../observability/observer.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import { type KnownGood, lastKnownGood } from './last-known-good.ts'

const restMs = 1_000

export interface Keeper {
  load(): Promise<KnownGood | undefined>
  /** Returns at once. A newer list replaces one that still waits. */
  save(known: Omit<KnownGood, 'savedAtMs'>): void
  /** Resolves when nothing waits to be saved. Saves at once what does. */
  idle(): Promise<void>
}

export function keeper(
  runtime: Runtime,
  path: string,
  service: string,
  observer: Observer,
): Keeper {
  const file = lastKnownGood(runtime, path, service)
  const hurry = new AbortController()
  let pending: Omit<KnownGood, 'savedAtMs'> | undefined
  let work: Promise<void> | undefined

  async function saveAll(): Promise<void> {
    while (pending !== undefined) {
      const known = pending
      pending = undefined
      await file.save(known).catch((error: unknown) => {
        observer.event('lastKnownGoodNotSaved', { service, path, error: String(error) })
      })
      if (hurry.signal.aborted) continue
      await sleep(runtime.timers, restMs, { signal: hurry.signal, background: true }).catch(
        () => {},
      )
    }
    work = undefined
  }

  return {
    async load() {
      const found = await file.load()
      if (!('missing' in found)) return found
      if (found.missing !== 'absent') {
        observer.event('lastKnownGoodUnusable', { service, path, reason: found.missing })
      }
      return undefined
    },
    save(known) {
      pending = known
      work ??= new Promise((resolve) => {
        runtime.tasks.spawn('discovery/save', () => saveAll().finally(resolve))
      })
    },
    async idle() {
      hurry.abort()
      await work
    },
  }
}
