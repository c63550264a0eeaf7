/**
 * What is kept, what is refused, and what is counted: duplicates, full queues, bad input.
 */
import { InvalidArgumentError } from '../errors.ts'
import { check, checkEqual, checkRejects } from './check.ts'
import {
  dead,
  done,
  keyWhere,
  kind,
  message,
  needsKeys,
  retry,
  type WorkCase,
  workBench,
} from './work-bench.ts'
import type { WorkMessage } from './work-store.ts'

const publication: readonly WorkCase[] = [
  {
    name: 'a publication repeated after an unknown outcome is stored once',
    shows: ['QU-6', 'G-1'],
    async run(bench) {
      const { publish, expectClaim, settle, store, queue } = await workBench(bench)
      const batch = [message('a'), message('b')]
      await publish(...batch)
      const again = await (await bench.another()).publish(queue, [...batch, message('c')])
      checkEqual(again, ['duplicate', 'duplicate', 'stored'], 'the second time')
      const deliveries = await expectClaim(['a', 'b', 'c'])
      await settle(...deliveries.map(done))
      checkEqual(
        await store.publish(queue, batch),
        ['duplicate', 'duplicate'],
        'after they are done',
      )
      await expectClaim([])
    },
  },
  {
    name: 'an id is stored once within one publication',
    shows: ['QU-6'],
    async run(bench) {
      const { store, queue, expectClaim } = await workBench(bench)
      const answer = await store.publish(queue, [message('a'), message('b'), message('a')])
      checkEqual(answer, ['stored', 'stored', 'duplicate'], 'answers')
      await expectClaim(['a', 'b'])
    },
  },
  {
    name: 'after the horizon an id may come again; without a horizon it always may',
    shows: ['QU-6', 'IB-2'],
    async run(bench) {
      const { publish, expectClaim, store, queue } = await workBench(bench, { dedupMs: 300 })
      await publish(message('a'))
      checkEqual(await store.publish(queue, [message('a')]), ['duplicate'], 'within the horizon')
      await bench.passMs(700)
      await publish(message('a'))
      await expectClaim(['a', 'a'])
      const open = await workBench(bench, { dedupMs: 0 })
      await open.publish(message('a'), message('a'))
      await open.publish(message('a'))
      await open.expectClaim(['a', 'a', 'a'])
    },
  },
  {
    name: 'the same id and key in two queues are strangers',
    shows: [],
    async run(bench) {
      const [one, two] = [await workBench(bench), await workBench(bench)]
      await one.publish(message('a', keyWhere(bench.store, 'k')))
      await two.publish(message('a', keyWhere(bench.store, 'k')))
      const [delivery] = await one.expectClaim(['a'])
      check(delivery !== undefined, 'a delivery')
      checkEqual(await two.settle(done(delivery)), ['lost'], 'the receipt in the other queue')
      await two.expectClaim(['a'])
    },
  },
  {
    name: 'a full queue refuses the whole publication, and takes it when there is room again',
    shows: ['QU-5', 'G-11'],
    async run(bench) {
      const { publish, take, settle, store, queue } = await workBench(bench, { lengthMax: 3 })
      await publish(message('a'), message('b'))
      checkEqual(await store.publish(queue, [message('c'), message('d')]), 'full', 'two more')
      checkEqual(
        await store.publish(queue, [message('a')]),
        ['duplicate'],
        'a duplicate needs no room',
      )
      await publish(message('c'))
      checkEqual(await store.publish(queue, [message('d')]), 'full', 'one more')
      const delivery = await take()
      checkEqual(await store.publish(queue, [message('d')]), 'full', 'one in flight counts')
      await settle(done(delivery))
      await publish(message('d'))
      checkEqual((await store.stats(queue)).droppedTotal, 0, 'dropped')
    },
  },
  {
    name: 'drop-oldest makes room among what is ready, never in flight, and counts it',
    shows: ['QU-5', 'QU-9', 'G-12'],
    async run(bench) {
      const limits = { lengthMax: 3, overflow: 'drop-oldest' } as const
      const { publish, take, settle, expectClaim, store, queue } = await workBench(bench, limits)
      await publish(message('a'), message('b'), message('c', { delayMs: 600_000 }))
      const a = await take()
      await publish(message('d'))
      checkEqual((await store.stats(queue)).droppedTotal, 1, 'dropped')
      checkEqual(await store.publish(queue, [message('e'), message('f')]), 'full', 'too many')
      await expectClaim(['d'])
      checkEqual(await settle(done(a)), ['settled'], 'the one in flight')
    },
  },
  {
    name: 'the limits of a queue can be declared anew',
    shows: [],
    async run(bench) {
      const { publish, store, queue } = await workBench(bench, { lengthMax: 1 })
      await publish(message('a'))
      checkEqual(await store.publish(queue, [message('b')]), 'full', 'before')
      await store.declare(queue, { lengthMax: 2, overflow: 'reject', dedupMs: 0 })
      await publish(message('b'))
    },
  },
  {
    name: 'stats tell where every message is',
    shows: ['QU-9'],
    async run(bench) {
      const { publish, take, settle, store, queue } = await workBench(bench)
      const empty = await store.stats(queue)
      checkEqual([empty.ready, empty.oldestReadyMs, empty.readyByKind], [0, 0, {}], 'empty')
      const key = keyWhere(store, 'k')
      await publish(message('1', key), message('2', key))
      await publish(...['a', 'b', 'c', 'd'].map((id) => message(id)))
      await take()
      await settle(dead(await take()))
      await settle(retry(await take(), 600_000))
      await settle(done(await take()))
      const { ready, delayed, inFlight, blocked, dead: letters } = await store.stats(queue)
      // Without keys nothing is blocked: the second is taken, and one more is ready.
      const behind = needsKeys(store) === undefined ? 1 : 0
      const left = 2 - behind
      checkEqual([ready, delayed, inFlight, blocked, letters], [left, 1, 1, behind, 1], 'counts')
      checkEqual((await store.stats(queue)).readyByKind, { [kind]: left }, 'ready by kind')
    },
  },
]

const input: readonly WorkCase[] = [
  {
    name: 'input outside its limits is refused, and nothing of it is kept',
    shows: ['IK-6', 'G-9', 'G-11'],
    async run(bench) {
      const { store, queue } = await workBench(bench)
      const header = { long: 'x'.repeat(8_192) }
      const pairs = Array.from({ length: 33 }, (_, n) => [`h${n}`, ''])
      const bad: readonly [string, WorkMessage][] = [
        ['an empty id', message('')],
        ['a blank id', message(' \n')],
        ['an id of 201 characters', message('i'.repeat(201))],
        ['half a surrogate pair', message('\udc00')],
        ['a large body', message('a', { body: 'b'.repeat(262_145) })],
        ['an empty kind', message('a', { kind: '' })],
        ['an empty key', message('a', { key: '' })],
        ['a key of 201 characters', message('a', { key: 'k'.repeat(201) })],
        ['a key with a priority', message('a', { key: 'k', priority: 1 })],
        ['a negative delay', message('a', { delayMs: -1 })],
        ['more than a century', message('a', { delayMs: 4e12 })],
        ['half a millisecond', message('a', { delayMs: 0.5 })],
        ['priority 10', message('a', { priority: 10 })],
        ['large headers', message('a', { headers: header })],
        ['33 headers', message('a', { headers: Object.fromEntries(pairs) })],
      ]
      for (const [what, one] of bad) {
        await checkRejects(store.publish(queue, [message('ok'), one]), InvalidArgumentError, what)
      }
      await checkRejects(store.publish(queue, []), InvalidArgumentError, 'no messages')
      const many = Array.from({ length: 1_001 }, (_, n) => message(`m${n}`))
      await checkRejects(store.publish(queue, many), InvalidArgumentError, '1,001 messages')
      checkEqual((await store.stats(queue)).ready, 0, 'nothing was stored')
    },
  },
  {
    name: 'claims, settlements and limits outside their range are refused',
    shows: ['G-9', 'G-11'],
    async run(bench) {
      const { store, queue } = await workBench(bench)
      const claim = { limit: 1, leaseMs: 1_000, consumer: 'c', kinds: [kind] }
      for (const bad of [{ limit: 0 }, { leaseMs: 99 }, { leaseMs: 86_400_001 }, { kinds: [] }]) {
        const refused = store.claim(queue, { ...claim, ...bad })
        await checkRejects(refused, InvalidArgumentError, JSON.stringify(bad))
      }
      await checkRejects(store.settle(queue, []), InvalidArgumentError, 'no settlements')
      await checkRejects(store.extend(queue, ['r'], 10), InvalidArgumentError, 'a lease of 10 ms')
      await checkRejects(store.redrive(queue, []), InvalidArgumentError, 'no ids')
      const limits = { lengthMax: 10, overflow: 'reject', dedupMs: 0 } as const
      for (const bad of [{ lengthMax: 0 }, { dedupMs: -1 }, { dedupMs: 604_800_001 }]) {
        const refused = store.declare(queue, { ...limits, ...bad })
        await checkRejects(refused, InvalidArgumentError, JSON.stringify(bad))
      }
      const undeclared = store.publish(bench.unique('undeclared'), [message('a')])
      await checkRejects(undeclared, InvalidArgumentError, 'a queue that was not declared')
    },
  },
  {
    name: 'a batch of a thousand is taken, claimed and settled as one',
    shows: ['QU-4'],
    async run(bench) {
      const { publish, claim, settle, store, queue } = await workBench(bench)
      await publish(...Array.from({ length: 1_000 }, (_, n) => message(`m${n}`)))
      const deliveries = await claim(1_000)
      checkEqual(deliveries.length, 1_000, 'claimed')
      const answers = await settle(...deliveries.map(done))
      checkEqual(new Set(answers).size, 1, 'one answer for all')
      checkEqual((await store.stats(queue)).inFlight, 0, 'in flight')
    },
  },
]

export const workLimitCases: readonly WorkCase[] = [...publication, ...input]
