import { describe, expect, it } from 'vitest'
import type { Observer } from '../../observability/observer.ts'
import { silentObserver } from '../../observability/observer.ts'
import type { WorkMessage } from '../../ports/work-store.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import { inVirtualTime } from '../../testing/index.ts'
import { type EmbeddedStores, embedded } from './embedded.ts'
import { embeddedMigrations } from './migrations.ts'
import { settleBatch } from './work-settle.ts'

const path = '/limits.db'
const claim = { limit: 1_000, leaseMs: 60_000, consumer: 'c', kinds: ['k'] }
const message = (id: string, more: Partial<WorkMessage> = {}): WorkMessage => ({
  id,
  kind: 'k',
  body: '',
  ...more,
})

function withStores(
  body: (stores: EmbeddedStores, runtime: Runtime) => Promise<void>,
  observer: Observer = silentObserver,
): Promise<void> {
  return inVirtualTime(async (_world, runtime) => {
    const stores = await embedded(runtime, { path, namespace: 'limits', observer })
    await stores.work.declare('q', { lengthMax: 1_000, overflow: 'drop-oldest', dedupMs: 1_000 })
    await body(stores, runtime)
    await stores.close()
  })
}

async function count(runtime: Runtime, sql: string): Promise<unknown> {
  const file = await runtime.sql.open({ path, migrations: embeddedMigrations })
  const { results } = await file.run({ statements: [{ sql }], mode: 'read' })
  await file.close()
  return results[0]?.rows[0]?.n
}

describe('what the embedded queue does not keep for ever', () => {
  it('G-11, G-12: dead letters beyond the limit leave, the oldest first, and are counted', () =>
    withStores(async ({ work }, runtime) => {
      await work.publish(
        'q',
        ['a', 'b', 'c', 'd'].map((id) => message(id)),
      )
      const deliveries = await work.claim('q', claim)
      const now = {
        wallMs: runtime.clock.wallMs(),
        monotonicMs: Math.floor(runtime.clock.monotonicMs()),
        bootId: runtime.clock.bootId,
      }
      const settlements = deliveries.map(({ receipt }) => {
        return { receipt, outcome: 'dead', reason: 'poison' } as const
      })
      const batch = settleBatch({ queue: 1, now }, settlements, 3)
      const file = await runtime.sql.open({ path, migrations: embeddedMigrations })
      const answer = batch.answer(await file.run({ statements: batch.statements }))
      await file.close()
      expect(answer.lettersDropped).toBe(1)
      const letters = await work.deadLetters('q', { limit: 10 })
      expect(letters.map((letter) => letter.message.id)).toEqual(['b', 'c', 'd'])
      expect(await work.stats('q')).toMatchObject({ dead: 3, droppedTotal: 1, inFlight: 0 })
    }))

  it('QU-5, G-12: what is dropped is told', () => {
    const events: unknown[] = []
    const observer = {
      ...silentObserver,
      event: (name: string, fields?: unknown) => void events.push([name, fields]),
    }
    return withStores(async ({ work }) => {
      await work.declare('q', { lengthMax: 2, overflow: 'drop-oldest', dedupMs: 0 })
      await work.publish('q', [message('a', { key: 'k' }), message('b', { key: 'k' })])
      await work.publish('q', [message('c')])
      expect(events).toContainEqual(['workDropped', { queue: 'q', what: 'message', dropped: 1 }])
      const ids = (await work.claim('q', claim)).map((delivery) => delivery.message.id)
      expect(ids, 'the follower of the dropped one is at the front').toEqual(['b', 'c'])
    }, observer)
  })

  it('QU-6, G-11: ids are forgotten after the horizon, in bounded steps', () =>
    withStores(async ({ work }, runtime) => {
      for (let n = 0; n < 10; n += 1) {
        const ids = Array.from({ length: 100 }, (_, index) => message(`${n}/${index}`))
        await work.publish('q', ids)
        const deliveries = await work.claim('q', claim)
        await work.settle(
          'q',
          deliveries.map(({ receipt }) => ({ receipt, outcome: 'done' })),
        )
      }
      const seen = 'SELECT count(*) AS n FROM holdfast_work_seen'
      expect(await count(runtime, seen)).toBe(1_000)
      await sleep(runtime.timers, 2_000)
      await work.publish(
        'q',
        Array.from({ length: 100 }, (_, index) => message(`new ${index}`)),
      )
      expect(await count(runtime, seen)).toBe(100)
    }))

  it('QU-1, G-11: nothing of a settled message is left', () =>
    withStores(async ({ work }, runtime) => {
      await work.publish('q', [message('a', { key: 'k', headers: { h: '1' } }), message('b')])
      const deliveries = await work.claim('q', claim)
      await work.settle(
        'q',
        deliveries.map(({ receipt }) => ({ receipt, outcome: 'done' })),
      )
      for (const table of ['holdfast_work_message', 'holdfast_work_body']) {
        expect(await count(runtime, `SELECT count(*) AS n FROM ${table}`), table).toBe(0)
      }
    }))

  it('IK-5, G-11: expired records are swept by later writes', () =>
    withStores(async ({ records }, runtime) => {
      const write = { space: 's', value: '1', expected: 'any' } as const
      for (let n = 0; n < 20; n += 1) {
        await records.put({ ...write, key: `old ${n}`, expiresInMs: 100 })
      }
      await sleep(runtime.timers, 1_000)
      await records.put({ ...write, key: 'new 1' })
      await records.put({ ...write, key: 'new 2' })
      expect(await count(runtime, 'SELECT count(*) AS n FROM holdfast_record')).toBe(2)
    }))

  it('two namespaces of one file never see each other', () =>
    withStores(async ({ work, records }, runtime) => {
      const other = await embedded(runtime, { path, namespace: 'other' })
      await work.publish('q', [message('a')])
      await records.put({ space: 's', key: 'k', value: '1', expected: 'absent' })
      await other.work.declare('q', { lengthMax: 10, overflow: 'reject', dedupMs: 1_000 })
      expect(await other.work.claim('q', claim)).toEqual([])
      expect(await other.work.publish('q', [message('a')])).toEqual(['stored'])
      expect(await other.records.get('s', 'k')).toBeUndefined()
      await other.close()
    }))
})
