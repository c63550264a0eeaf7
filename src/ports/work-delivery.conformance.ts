/**
 * Who has the message now? A delivery ends by its settlement or by its expiry, and a consumer that
 * comes back late must not touch what another consumer has by then.
 */
import { check, checkEqual } from './check.ts'
import {
  dead,
  done,
  idsOf,
  keyWhere,
  message,
  pastShortLeaseMs,
  retry,
  shortLeaseMs,
  type WorkCase,
  workBench,
} from './work-bench.ts'

const leaseMs = shortLeaseMs

const handover: readonly WorkCase[] = [
  {
    name: 'a message is delivered as published, to one consumer, and gone when done',
    shows: ['QU-1'],
    async run(bench) {
      const { publish, take, claim, settle, store } = await workBench(bench)
      const sent = message('id ü', {
        body: `{"text":"zoë 🐙 \u2028 \0 end"}`,
        headers: { 'trace-parent': '00-ab', 'kopf "ä"': '\0' },
        ...keyWhere(store, 'schlüssel 漢'),
      })
      await publish(sent)
      const delivery = await take()
      checkEqual(delivery.message, sent, 'the message')
      checkEqual(delivery.attempt, 1, 'the attempt')
      const { clock } = bench.runtime
      check(delivery.validUntilMs > clock.monotonicMs(), 'the delivery is valid for a while')
      checkEqual(await claim(), [], 'a second claim')
      checkEqual(await settle(done(delivery)), ['settled'], 'settlement')
      checkEqual(await claim(), [], 'a claim after it was done')
    },
  },
  {
    name: 'the late settlement of an expired delivery is lost and cannot settle the new one',
    shows: ['QU-2', 'KO-2'],
    async run(bench) {
      const { publish, take, settle, claim } = await workBench(bench)
      await publish(message('a'))
      const old = await take({ leaseMs })
      await bench.passMs(pastShortLeaseMs)
      const current = await take()
      checkEqual(current.attempt, 2, 'the attempt of the new delivery')
      check(current.receipt !== old.receipt, 'another receipt')
      for (const late of [done(old), retry(old), dead(old)]) {
        checkEqual(await settle(late), ['lost'], `late ${late.outcome}`)
      }
      checkEqual(await claim(), [], 'the new delivery still holds')
      checkEqual(await settle(done(current)), ['settled'], 'the new delivery')
    },
  },
  {
    name: 'the settlement of an expired delivery is lost even if nobody has taken it over',
    shows: ['QU-2'],
    async run(bench) {
      const { publish, take, settle } = await workBench(bench)
      await publish(message('a'))
      const old = await take({ leaseMs })
      await bench.passMs(pastShortLeaseMs)
      checkEqual(await settle(done(old)), ['lost'], 'late settlement')
      checkEqual((await take()).message.id, 'a', 'delivered again')
    },
  },
  {
    name: 'a delivery settles once, whatever comes second',
    shows: ['QU-2', 'G-5'],
    async run(bench) {
      const { publish, take, settle, store, queue } = await workBench(bench)
      await publish(message('a'), message('b'))
      const first = await take()
      checkEqual(await settle(done(first), dead(first)), ['settled', 'lost'], 'twice in one call')
      const second = await take()
      checkEqual(await settle(retry(second, 600_000)), ['settled'], 'retry')
      checkEqual(await settle(done(second)), ['lost'], 'done after retry')
      checkEqual((await store.stats(queue)).delayed, 1, 'the retry stands')
    },
  },
  {
    name: 'extend keeps a delivery beyond its lease, and does nothing for an expired one',
    shows: ['QU-2', 'KO-2'],
    async run(bench) {
      const { publish, take, settle, claim, store, queue } = await workBench(bench)
      await publish(message('a'), message('b'))
      const kept = await take({ leaseMs })
      const left = await take({ leaseMs })
      checkEqual(await store.extend(queue, [kept.receipt], 600_000), [true], 'extend')
      await bench.passMs(pastShortLeaseMs)
      const receipts = [left.receipt, kept.receipt, 'unknown']
      checkEqual(await store.extend(queue, receipts, 600_000), [false, true, false], 'extend later')
      checkEqual(idsOf(await claim()), ['b'], 'only the one left alone comes back')
      checkEqual(await settle(done(kept)), ['settled'], 'the extended delivery')
    },
  },
  {
    name: 'extend shortens as well, so that a consumer can give back early',
    shows: ['QU-2'],
    async run(bench) {
      const { publish, take, claim, store, queue } = await workBench(bench)
      await publish(message('a'))
      const delivery = await take()
      checkEqual(await store.extend(queue, [delivery.receipt], leaseMs), [true], 'extend')
      await bench.passMs(pastShortLeaseMs)
      checkEqual(idsOf(await claim()), ['a'], 'delivered again')
    },
  },
]

const attempts: readonly WorkCase[] = [
  {
    name: 'attempts are counted even if every consumer dies without a word',
    shows: ['QU-3'],
    async run(bench) {
      const { publish, take, store, queue } = await workBench(bench)
      await publish(message('a'))
      for (let attempt = 1; attempt <= 4; attempt += 1) {
        const store = attempt % 2 === 0 ? await bench.another() : bench.store
        checkEqual((await take({ leaseMs, store })).attempt, attempt, 'the attempt')
        await bench.passMs(pastShortLeaseMs)
      }
      checkEqual((await store.stats(queue)).redeliveredTotal, 3, 'redeliveries')
    },
  },
  {
    name: 'a retry counts; handing back at shutdown does not',
    shows: ['QU-7', 'QU-3'],
    async run(bench) {
      const { publish, take, settle } = await workBench(bench)
      await publish(message('a'))
      await settle(retry(await take()))
      const second = await take()
      checkEqual(second.attempt, 2, 'after a retry')
      checkEqual(await settle(retry(second, 0, false)), ['settled'], 'hand back')
      checkEqual((await take()).attempt, 2, 'after handing back')
    },
  },
  {
    name: 'two consumers that claim at once never get the same message',
    shows: ['QU-8', 'QU-4'],
    async run(bench) {
      const { publish, claim } = await workBench(bench)
      await publish(...Array.from({ length: 60 }, (_, index) => message(`m${index}`)))
      const other = await bench.another()
      const claims = await Promise.all(
        Array.from({ length: 12 }, (_, index) =>
          claim(5, { store: index % 2 === 0 ? bench.store : other }),
        ),
      )
      const ids = claims.flatMap(idsOf)
      checkEqual(ids.length, 60, 'all are claimed')
      checkEqual(new Set(ids).size, 60, 'each once')
    },
  },
  {
    name: 'of a batch each settlement stands alone',
    shows: ['QU-4'],
    async run(bench) {
      const { publish, expectClaim, settle, store, queue } = await workBench(bench)
      await publish(message('a'), message('b'), message('c'), message('d'))
      const [a, b, c, d] = await expectClaim(['a', 'b', 'c', 'd'])
      check(a && b && c && d, 'four deliveries')
      await settle(done(b))
      const answers = await settle(done(a), done(b), retry(c, 600_000), dead(d))
      checkEqual(answers, ['settled', 'lost', 'settled', 'settled'], 'answers')
      const { ready, delayed, inFlight, dead: letters } = await store.stats(queue)
      checkEqual([ready, delayed, inFlight, letters], [0, 1, 0, 1], 'where they are')
      checkEqual(await settle(done({ ...a, receipt: 'no such' })), ['lost'], 'a made-up receipt')
    },
  },
  {
    name: 'watch wakes after a publication elsewhere, at a due time, and when a lease runs out',
    shows: ['G-13', 'QU-8', 'G-8'],
    async run(bench) {
      const { queue, publish, claim, take } = await workBench(bench)
      const other = await bench.another()
      let wakes = 0
      const stop = other.watch(queue, () => {
        wakes += 1
      })
      const awake = async (what: string): Promise<void> => {
        for (let waits = 0; wakes === 0 && waits < 100; waits += 1) await bench.passMs(50)
        check(wakes > 0, `woken within 5 s: ${what}`)
      }
      await bench.passMs(50)
      await publish(message('a'))
      await awake('publication')
      await take({ leaseMs })
      checkEqual(await claim(1, { store: other }), [], 'nothing while it is in flight')
      wakes = 0
      await awake('the lease ran out')
      stop()
      await bench.passMs(100)
      wakes = 0
      await publish(message('b'))
      await bench.passMs(100)
      checkEqual(wakes, 0, 'wakes after the watch was stopped')
    },
  },
]

export const workDeliveryCases: readonly WorkCase[] = [...handover, ...attempts]
