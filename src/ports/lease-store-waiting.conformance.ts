/**
 * Waiting: a line that is kept in order, loses the dead, and forgets who gives up; and hints that come.
 */
import { check, checkEqual } from './check.ts'
import type { ConformanceCase } from './conformance.ts'
import { ask, type LeaseBench, longMs, pastShort, shortMs, take } from './lease-bench.ts'
import type { LeaseStore } from './lease-store.ts'

/** How long a hint with its slow poll behind may take. */
const hintMaxMs = 3_000

const onlyFifo = ({ capabilities }: LeaseStore): string | undefined =>
  capabilities.fairness === 'fifo' ? undefined : 'the store keeps no line'

export const leaseWaitingCases: readonly ConformanceCase<LeaseStore>[] = [
  {
    name: 'the line is served in the order in which it was joined',
    shows: ['LK-6'],
    skip: onlyFifo,
    async run(bench) {
      const name = bench.unique('line')
      const queueForMs = longMs(bench.store)
      let holder = await take(bench, name)
      const stores = [bench.store, await bench.another()]
      const line = [1, 2, 3, 4].map(() => bench.runtime.random.id('conformance'))
      for (const [index, attemptId] of line.entries()) {
        const answer = await ask(bench, name, { attemptId, queueForMs }, stores[index % 2])
        checkEqual(answer, undefined, 'refused while held')
      }
      for (const [index, attemptId] of line.entries()) {
        checkEqual(await bench.store.release(holder), true, 'released')
        for (const behind of line.slice(index + 1)) {
          const answer = await ask(bench, name, { attemptId: behind, queueForMs })
          checkEqual(answer, undefined, 'one further back asks first')
        }
        checkEqual(await ask(bench, name), undefined, 'one who is not in line asks')
        holder = await take(bench, name, { attemptId, queueForMs })
      }
    },
  },
  {
    name: 'asking again keeps the place in line',
    shows: ['LK-6'],
    skip: onlyFifo,
    async run(bench) {
      const name = bench.unique('place')
      const queueForMs = longMs(bench.store)
      const holder = await take(bench, name)
      const first = bench.runtime.random.id('conformance')
      const second = bench.runtime.random.id('conformance')
      for (const attemptId of [first, second, first, second, first]) {
        await ask(bench, name, { attemptId, queueForMs })
      }
      const [info] = await bench.store.list(name, { limit: 1 })
      checkEqual(info?.waiters, 2, 'waiters')
      await bench.store.release(holder)
      checkEqual(await ask(bench, name, { attemptId: second }), undefined, 'the second')
      await take(bench, name, { attemptId: first })
    },
  },
  {
    name: 'a waiter that never comes back is skipped when its place runs out',
    shows: ['LK-6'],
    skip: onlyFifo,
    async run(bench) {
      const name = bench.unique('dead-waiter')
      const holder = await take(bench, name)
      await ask(bench, name, { queueForMs: shortMs(bench.store) })
      const living = bench.runtime.random.id('conformance')
      const queueForMs = longMs(bench.store)
      await ask(bench, name, { attemptId: living, queueForMs })
      await bench.store.release(holder)
      checkEqual(await ask(bench, name, { attemptId: living }), undefined, 'its turn has not come')
      await pastShort(bench)
      await take(bench, name, { attemptId: living })
    },
  },
  {
    name: 'who withdraws leaves no place behind',
    shows: ['LK-6', 'G-8'],
    skip: onlyFifo,
    async run(bench) {
      const name = bench.unique('withdraw')
      const holder = await take(bench, name)
      const attemptId = bench.runtime.random.id('conformance')
      await ask(bench, name, { attemptId, queueForMs: longMs(bench.store) })
      const [before] = await bench.store.list(name, { limit: 1 })
      checkEqual(before?.waiters, 1, 'waiters before')
      await bench.store.withdraw(name, attemptId)
      await bench.store.withdraw(name, attemptId)
      const [after] = await bench.store.list(name, { limit: 1 })
      checkEqual(after?.waiters, 0, 'waiters after')
      await bench.store.release(holder)
      await take(bench, name, {}, await bench.another())
    },
  },
  {
    name: 'withdrawing from a line does not give up a lease',
    shows: ['LK-4', 'G-8'],
    async run(bench) {
      const name = bench.unique('withdraw-held')
      const lease = await take(bench, name)
      await bench.store.withdraw(name, lease.attemptId)
      checkEqual(await ask(bench, name), undefined, 'still held')
      checkEqual(await bench.store.release(lease), true, 'released')
    },
  },
  {
    name: 'who leaves the line by getting the name is not counted any more',
    shows: ['LK-6'],
    skip: onlyFifo,
    async run(bench) {
      const name = bench.unique('served')
      const holder = await take(bench, name)
      const attemptId = bench.runtime.random.id('conformance')
      const queueForMs = longMs(bench.store)
      await ask(bench, name, { attemptId, queueForMs })
      await bench.store.release(holder)
      await take(bench, name, { attemptId, queueForMs })
      const [info] = await bench.store.list(name, { limit: 1 })
      checkEqual(info?.waiters, 0, 'waiters')
    },
  },
  {
    name: 'a watcher is woken after a release by another client',
    shows: ['LK-6', 'G-13'],
    async run(bench) {
      const name = bench.unique('wake-release')
      const lease = await take(bench, name)
      await woken(bench, await bench.another(), name, async () => {
        await bench.store.release(lease)
      })
    },
  },
  {
    name: 'a watcher is woken after the holder ran out',
    shows: ['LK-6'],
    async run(bench) {
      const name = bench.unique('wake-expiry')
      await take(bench, name, { ttlMs: shortMs(bench.store) })
      await woken(bench, await bench.another(), name, () => pastShort(bench))
    },
  },
  {
    name: 'a watcher that knows its place is woken when its turn comes',
    shows: ['LK-6'],
    skip: onlyFifo,
    async run(bench) {
      const name = bench.unique('wake-turn')
      const lease = await take(bench, name)
      const attemptId = bench.runtime.random.id('conformance')
      const other = await bench.another()
      await ask(bench, name, { attemptId, queueForMs: longMs(bench.store) }, other)
      const release = async (): Promise<void> => {
        await bench.store.release(lease)
      }
      await woken(bench, other, name, release, attemptId)
      await take(bench, name, { attemptId }, other)
    },
  },
  {
    name: 'who stopped watching is not woken',
    shows: ['G-8'],
    async run(bench) {
      const name = bench.unique('unwatch')
      const lease = await take(bench, name)
      let wakes = 0
      const stop = bench.store.watch(name, () => {
        wakes += 1
      })
      stop()
      stop()
      await bench.store.release(lease)
      await bench.passMs(200)
      checkEqual(wakes, 0, 'wakes')
    },
  },
]

/** Watches, does what should wake, and waits for a wake that comes after it. */
async function woken(
  bench: LeaseBench,
  store: LeaseStore,
  name: string,
  cause: () => Promise<void>,
  attemptId?: string,
): Promise<void> {
  let wakes = 0
  const stop = store.watch(
    name,
    () => {
      wakes += 1
    },
    attemptId,
  )
  await bench.passMs(50)
  const before = wakes
  await cause()
  for (let waitedMs = 0; waitedMs < hintMaxMs && wakes === before; waitedMs += 50) {
    await bench.passMs(50)
  }
  stop()
  check(wakes > before, `woken within ${hintMaxMs} ms`)
}
