import { describe, expect, it } from 'vitest'
import { embedded } from '../drivers/embedded/index.ts'
import { CancelledError, ClosedError, LeaseLostError, OutcomeUnknownError } from '../errors.ts'
import type { RecordStore } from '../ports/record-store.ts'
import { type Runtime, sleep } from '../runtime/index.ts'
import { inVirtualTime } from '../simulation/node/index.ts'
import { positions } from './position.ts'
import { tracker } from './tracker.ts'

type Body = (records: RecordStore, runtime: Runtime) => Promise<void>

function bench(body: Body): () => Promise<void> {
  return () =>
    inVirtualTime(async (_world, runtime) => {
      const stores = await embedded(runtime, { path: '/holdfast.db', namespace: 'test' })
      await body(stores.records, runtime)
      await stores.close()
    })
}

/** The answers of the next `count` writes get lost after the write took effect. */
function losingAnswers(records: RecordStore, count: number): RecordStore {
  let left = count
  return {
    ...records,
    async put(write) {
      const version = await records.put(write)
      left -= 1
      if (left < 0) return version
      throw new OutcomeUnknownError('the answer got lost')
    },
  }
}

describe('position', () => {
  it(
    'starts at 0, moves forward, and never back',
    bench(async (records) => {
      const position = await positions(records).open('a')
      expect(position.value).toBe(0n)
      expect(await position.advance(5n)).toBe(true)
      expect(await position.advance(3n)).toBe(true)
      expect(position.value).toBe(5n)
      expect((await positions(records).open('a')).value).toBe(5n)
      expect((await positions(records).open('b')).value).toBe(0n)
      expect((await positions(records, { space: 'other' }).open('a')).value).toBe(0n)
    }),
  )

  it(
    'owners of one generation share it: the furthest wins',
    bench(async (records) => {
      const one = await positions(records).open('a')
      const two = await positions(records).open('a')
      expect(await one.advance(7n)).toBe(true)
      expect(await two.advance(4n)).toBe(true)
      expect(two.value).toBe(7n)
      expect(await two.advance(9n)).toBe(true)
      expect((await positions(records).open('a')).value).toBe(9n)
    }),
  )

  it(
    'G-4: a claim stops everybody who had it before',
    bench(async (records) => {
      const old = await positions(records).claim('a', 'old')
      await old.advance(5n)
      const current = await positions(records).claim('a', 'new')
      expect(current.generation).toBeGreaterThan(old.generation)
      expect(current.value).toBe(5n)
      expect(await old.advance(6n)).toBe(false)
      expect(await old.rewind(0n, 'I know better')).toBe(false)
      expect(await current.advance(6n)).toBe(true)
    }),
  )

  it(
    'going back is a generation of its own, which no advance on its way can undo',
    bench(async (records) => {
      const stale = await positions(records).open('a')
      const position = await positions(records).open('a')
      await position.advance(10n)
      const [rewound] = await Promise.all([
        position.rewind(2n, 'the projection was wrong'),
        position.advance(11n),
        stale.advance(12n),
      ])
      if (!rewound) throw new Error('the rewind was refused')
      const now = await positions(records).open('a')
      expect(now.generation).toBe(1n)
      expect(now.value).toBe(2n)
      expect(await stale.advance(20n)).toBe(false)
      expect(await position.advance(3n)).toBe(true)
    }),
  )

  it(
    'G-1: a lost answer is settled by reading, for an advance and for a claim',
    bench(async (records) => {
      const position = await positions(losingAnswers(records, 1)).open('a')
      expect(await position.advance(4n)).toBe(true)
      expect((await positions(records).open('a')).value).toBe(4n)
      const claimed = await positions(losingAnswers(records, 1)).claim('a', 'me')
      expect(claimed.generation).toBe(2n)
      expect(await claimed.advance(5n)).toBe(true)
    }),
  )

  it(
    'G-9, G-10: 64-bit values survive, and a newer format is refused',
    bench(async (records) => {
      const large = 2n ** 63n - 1n
      await (await positions(records).open('a')).advance(large)
      const stored = await records.get('position', 'a')
      expect(stored?.value).toBe(`{"v":1,"value":"${large}","generation":"0","owner":""}`)
      const position = await positions(records).open('a')
      expect(position.value).toBe(large)
      await expect(position.advance(2n ** 63n)).rejects.toThrow('expected a bigint')
      const key = 'future'
      await records.put({ space: 'position', key, value: '{"v":2}', expected: 'absent' })
      const refused = positions(records).open('future')
      await expect(refused).rejects.toMatchObject({ code: 'format-too-new' })
    }),
  )
})

describe('tracker', () => {
  it(
    'G-6: the bookmark passes an item only when all before it are finished',
    bench(async (records, runtime) => {
      const position = await positions(records).claim('a', 'me')
      const track = tracker(runtime, position, { flushEvery: 1 })
      for (const item of [10n, 11n, 12n, 15n]) await track.begin(item)
      track.finish(11n)
      track.finish(15n)
      expect(track.front()).toBe(0n)
      track.finish(10n)
      expect(track.front()).toBe(11n)
      await track.flush()
      expect((await positions(records).open('a')).value).toBe(11n)
      track.finish(12n)
      await track.close()
      expect((await positions(records).open('a')).value).toBe(15n)
      await expect(track.begin(16n)).rejects.toThrow(ClosedError)
    }),
  )

  it(
    'flushes after so many items, or so much time',
    bench(async (records, runtime) => {
      let writes = 0
      const counted: RecordStore = {
        ...records,
        put(write) {
          writes += 1
          return records.put(write)
        },
      }
      const position = await positions(counted).open('a')
      const track = tracker(runtime, position, { flushEvery: 10, flushAfterMs: 500 })
      for (let item = 1n; item <= 25n; item += 1n) {
        await track.begin(item)
        track.finish(item)
        await sleep(runtime.timers, 5)
      }
      expect(writes).toBe(2)
      await sleep(runtime.timers, 400)
      expect(writes).toBe(2)
      await sleep(runtime.timers, 200)
      expect(writes).toBe(3)
      expect(position.value).toBe(25n)
      await sleep(runtime.timers, 60_000)
      expect(writes).toBe(3)
      await track.close()
    }),
  )

  it(
    'G-11, G-8: the window holds the producer back; a cancelled wait changes nothing',
    bench(async (records, runtime) => {
      const position = await positions(records).open('a')
      const track = tracker(runtime, position, { windowMax: 2 })
      await track.begin(1n)
      await track.begin(2n)
      const cancel = new AbortController()
      const cancelled = expect(track.begin(3n, { signal: cancel.signal })).rejects.toThrow(
        CancelledError,
      )
      cancel.abort()
      await cancelled
      let begun = false
      const third = track.begin(3n).then(() => {
        begun = true
      })
      track.finish(2n)
      await sleep(runtime.timers, 10)
      expect(begun).toBe(false)
      track.finish(1n)
      await third
      await expect(track.begin(3n)).rejects.toMatchObject({ code: 'invalid-argument' })
      track.finish(3n)
      await track.close()
      expect(position.value).toBe(3n)
    }),
  )

  it(
    'G-6: items that wait for room are let in in order, also past one who asks just then',
    bench(async (records, runtime) => {
      const position = await positions(records).open('a')
      const track = tracker(runtime, position, { windowMax: 2 })
      await track.begin(1n)
      await track.begin(2n)
      const third = track.begin(3n)
      track.finish(1n)
      const fourth = track.begin(4n)
      await third
      track.finish(2n)
      await fourth
      track.finish(4n)
      await track.close()
      expect(position.value).toBe(2n)
    }),
  )

  it(
    'G-12: learns that a newer generation owns the position, and says so',
    bench(async (records, runtime) => {
      const position = await positions(records).claim('a', 'old')
      const track = tracker(runtime, position, { flushAfterMs: 100 })
      await track.begin(1n)
      await positions(records).claim('a', 'new')
      track.finish(1n)
      await sleep(runtime.timers, 200)
      expect(track.lost.reason).toBeInstanceOf(LeaseLostError)
      await expect(track.begin(2n)).rejects.toThrow(LeaseLostError)
      expect(await track.flush()).toBe(false)
      await track.close()
      expect((await positions(records).open('a')).value).toBe(0n)
    }),
  )
})
