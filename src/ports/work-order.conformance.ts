/**
 * What comes next? Priority, then due time, then publication; and of one key one message at a time,
 * in the order published, whatever happens to the one in front.
 */
import { CapabilityMissingError } from '../errors.ts'
import { check, checkEqual, checkRejects } from './check.ts'
import {
  dead,
  done,
  idsOf,
  message,
  needsKeys,
  pastShortLeaseMs,
  retry,
  shortLeaseMs,
  type WorkCase,
  workBench,
} from './work-bench.ts'

const leaseMs = shortLeaseMs
const centuryMs = 36_525 * 86_400_000

const order: readonly WorkCase[] = [
  {
    name: 'messages come in order of publication, over several publications',
    shows: ['KO-3'],
    async run(bench) {
      const { publish, expectClaim } = await workBench(bench)
      await publish(message('c'), message('a'))
      await publish(message('b'))
      await publish(message('0'), message('z'))
      await expectClaim(['c', 'a', 'b', '0', 'z'])
    },
  },
  {
    name: 'a more urgent priority comes first, whatever its age',
    shows: [],
    skip: ({ capabilities }) =>
      capabilities.priority === 'refused' ? 'the driver has no priority' : undefined,
    async run(bench) {
      const { publish, expectClaim } = await workBench(bench)
      await publish(message('plain'), message('last', { priority: 9 }))
      await publish(message('first', { priority: 0 }), message('five', { priority: 5 }))
      await expectClaim(['first', 'plain', 'five', 'last'])
    },
  },
  {
    name: 'a delayed message is never early and then comes in order of due time',
    shows: ['QD-1', 'QD-4'],
    async run(bench) {
      const { publish, expectClaim, store, queue } = await workBench(bench)
      // One publication: how long a slow disk takes between two must not decide which is due first.
      await publish(
        message('far', { delayMs: 600_000 }),
        message('b', { delayMs: 1_100 }),
        message('a', { delayMs: 1_000 }),
        message('a2', { delayMs: 1_000 }),
      )
      await expectClaim([])
      checkEqual((await store.stats(queue)).delayed, 4, 'delayed')
      await bench.passMs(1_500)
      const { ready, delayed, oldestReadyMs } = await store.stats(queue)
      checkEqual([ready, delayed], [3, 1], 'ready and delayed')
      check(oldestReadyMs >= 300 && oldestReadyMs < 60_000, `waiting since ${oldestReadyMs} ms`)
      const [first] = await expectClaim(['a', 'a2', 'b'])
      check(first !== undefined && first.waitedMs >= 300, 'the wait is told')
    },
  },
  {
    name: 'a delay of a century is kept, not wrapped around',
    shows: ['QD-3'],
    async run(bench) {
      const { publish, expectClaim, store, queue } = await workBench(bench)
      await publish(message('far', { delayMs: centuryMs }), message('near', { delayMs: 2 ** 31 }))
      await bench.passMs(300)
      await expectClaim([])
      checkEqual((await store.stats(queue)).delayed, 2, 'delayed')
    },
  },
  {
    name: 'a retry waits for its delay',
    shows: ['QD-1'],
    async run(bench) {
      const { publish, take, settle, expectClaim } = await workBench(bench)
      await publish(message('a'))
      await settle(retry(await take(), 400))
      await expectClaim([])
      await bench.passMs(800)
      await expectClaim(['a'])
    },
  },
  {
    name: 'only messages of the kinds asked for are claimed, the others are counted',
    shows: [],
    async run(bench) {
      const { publish, expectClaim, store, queue } = await workBench(bench)
      await publish(
        message('old', { kind: 'order.v1' }),
        message('new', { kind: 'order.v2' }),
        message('newer', { kind: 'order.v2', priority: 0 }),
        message('other', { kind: 'mail.v1' }),
      )
      await expectClaim(['newer', 'new'], { kinds: ['order.v2', 'none.v1'] })
      const { readyByKind } = await store.stats(queue)
      checkEqual(readyByKind, { 'order.v1': 1, 'mail.v1': 1 }, 'what nobody has claimed')
      await expectClaim(['old', 'other'], { kinds: ['order.v1', 'mail.v1'] })
    },
  },
]

const keys: readonly WorkCase[] = [
  {
    name: 'of one key one message is in flight, over two consumers',
    shows: ['KO-1'],
    skip: needsKeys,
    async run(bench) {
      const { publish, take, claim, settle } = await workBench(bench)
      const other = await bench.another()
      await publish(message('1', { key: 'k' }), message('2', { key: 'k' }))
      await publish(message('3', { key: 'k' }))
      for (const id of ['1', '2', '3']) {
        const delivery = await take()
        checkEqual(delivery.message.id, id, 'the next of the key')
        checkEqual(await claim(10, { store: other }), [], 'while it is in flight')
        await settle(done(delivery))
      }
    },
  },
  {
    name: 'a key keeps its order over retry, delay and expiry of the one in front',
    shows: ['KO-1', 'KO-3'],
    skip: needsKeys,
    async run(bench) {
      const { publish, take, settle, expectClaim } = await workBench(bench)
      await publish(message('1', { key: 'k', delayMs: 300 }), message('2', { key: 'k' }))
      await expectClaim([])
      await bench.passMs(700)
      await settle(retry(await take(), 300))
      await expectClaim([])
      await bench.passMs(700)
      await take({ leaseMs })
      await expectClaim([])
      await bench.passMs(pastShortLeaseMs)
      const again = await take()
      checkEqual([again.message.id, again.attempt], ['1', 3], 'the first, for the third time')
      await settle(done(again))
      await expectClaim(['2'])
    },
  },
  {
    name: 'when the front of a key dies, its followers go on in order',
    shows: ['DL-4', 'KO-1'],
    skip: needsKeys,
    async run(bench) {
      const { publish, take, settle, expectClaim } = await workBench(bench)
      await publish(...['1', '2', '3'].map((id) => message(id, { key: 'k' })))
      checkEqual(await settle(dead(await take())), ['settled'], 'the first dies')
      const [second] = await expectClaim(['2'])
      check(second !== undefined, 'the second')
      await settle(done(second))
      await expectClaim(['3'])
    },
  },
  {
    name: 'a hot key does not block other keys or messages without one',
    shows: ['KO-5'],
    skip: needsKeys,
    async run(bench) {
      const { publish, expectClaim, store, queue } = await workBench(bench)
      await publish(...Array.from({ length: 50 }, (_, n) => message(`hot${n}`, { key: 'hot' })))
      await publish(message('a', { key: 'a' }), message('b', { key: 'b' }), message('free'))
      checkEqual((await store.stats(queue)).blocked, 49, 'blocked')
      await expectClaim(['hot0', 'a', 'b', 'free'])
    },
  },
  {
    name: 'keys are compared exactly',
    shows: ['KO-5'],
    skip: needsKeys,
    async run(bench) {
      const { publish, claim } = await workBench(bench)
      const alike = ['k', 'K', 'k ', 'é', 'e\u0301', '0', '00']
      await publish(...alike.map((key, n) => message(`m${n}`, { key })))
      checkEqual((await claim()).length, alike.length, 'claimed at once')
    },
  },
  {
    name: 'the next of a key wakes a watcher when the one in front is done',
    shows: ['KO-5', 'G-13'],
    skip: needsKeys,
    async run(bench) {
      const { publish, take, settle, queue } = await workBench(bench)
      await publish(message('1', { key: 'k' }), message('2', { key: 'k' }))
      const delivery = await take()
      const other = await bench.another()
      let wakes = 0
      const stop = other.watch(queue, () => {
        wakes += 1
      })
      await bench.passMs(100)
      wakes = 0
      await settle(done(delivery))
      for (let waits = 0; wakes === 0 && waits < 100; waits += 1) await bench.passMs(50)
      stop()
      check(wakes > 0, 'woken within 5 s')
      checkEqual(idsOf([await take({ store: other })]), ['2'], 'the next')
    },
  },
  {
    name: 'a driver that keeps no order by key refuses keys, and does not ignore them',
    shows: ['KO-1', 'G-9'],
    skip: (store) => (needsKeys(store) === undefined ? 'the driver keeps it' : undefined),
    async run(bench) {
      const { store, queue } = await workBench(bench)
      const keyed = store.publish(queue, [message('a'), message('b', { key: 'k' })])
      await checkRejects(keyed, CapabilityMissingError, 'a message with a key')
      checkEqual((await store.stats(queue)).ready, 0, 'nothing was stored')
    },
  },
]

export const workOrderCases: readonly WorkCase[] = [...order, ...keys]
