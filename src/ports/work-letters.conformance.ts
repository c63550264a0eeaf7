/**
 * What becomes of the dead: they keep all they had, can be looked at, and come back under their own id and
 * in their own place, but not for ever.
 */
import { check, checkEqual } from './check.ts'
import { dead, done, keyWhere, message, needsKeys, type WorkCase, workBench } from './work-bench.ts'

export const workLetterCases: readonly WorkCase[] = [
  {
    name: 'a dead letter keeps message, headers, reason and attempts, and leaves the queue at once',
    shows: ['DL-1', 'DL-2'],
    async run(bench) {
      const { publish, take, settle, claim, store, queue } = await workBench(bench)
      const sent = message('a', { headers: { trace: 't' }, ...keyWhere(store, 'k') })
      await publish(sent)
      checkEqual(await settle(dead(await take(), 'schema mismatch')), ['settled'], 'settlement')
      checkEqual(await claim(), [], 'the queue')
      const [letter] = await store.deadLetters(queue, { limit: 10 })
      check(letter !== undefined, 'there is a letter')
      checkEqual(letter.message, sent, 'the message')
      checkEqual(
        [letter.reason, letter.attempts, letter.redrives],
        ['schema mismatch', 1, 0],
        'reason, attempts, redrives',
      )
      check(letter.publishedAtMs <= letter.diedAtMs, 'published before it died')
    },
  },
  {
    name: 'a reason of any length is bounded, not refused',
    shows: ['DL-1', 'DL-2', 'G-11'],
    async run(bench) {
      const { publish, take, settle, store, queue } = await workBench(bench)
      await publish(message('a'))
      const reason = `beginning \0 ${'🐙'.repeat(100_000)}`
      checkEqual(await settle(dead(await take(), reason)), ['settled'], 'settlement')
      const [letter] = await store.deadLetters(queue, { limit: 1 })
      check(letter !== undefined, 'there is a letter')
      check(letter.reason.startsWith('beginning'), 'the beginning is kept')
      check(letter.reason.length <= 4_096 && letter.reason.isWellFormed(), 'bounded, well formed')
    },
  },
  {
    name: 'dead letters page oldest first',
    shows: ['DL-3', 'G-11'],
    async run(bench) {
      const { publish, claim, settle, store, queue } = await workBench(bench)
      const ids = Array.from({ length: 7 }, (_, n) => `m${n}`)
      await publish(...ids.map((id) => message(id)))
      await settle(...(await claim()).map((delivery) => dead(delivery)))
      const seen: string[] = []
      for (let page = await store.deadLetters(queue, { limit: 3 }); page.length > 0; ) {
        seen.push(...page.map((letter) => letter.message.id))
        page = await store.deadLetters(queue, { limit: 3, after: seen.at(-1) ?? '' })
      }
      checkEqual(seen, ids, 'all letters, each once')
    },
  },
  {
    name: 'redrive keeps id, key and order, starts the attempts anew, and moves only what is named',
    shows: ['DL-3'],
    skip: needsKeys,
    async run(bench) {
      const { publish, take, settle, expectClaim, store, queue } = await workBench(bench)
      await publish(...['1', '2', '3', '4'].map((id) => message(id, { key: 'k' })))
      for (let n = 0; n < 3; n += 1) await settle(dead(await take()))
      checkEqual(await store.redrive(queue, ['2', '1', 'unknown']), 2, 'moved')
      checkEqual(await store.redrive(queue, ['2', '1']), 0, 'moved again')
      for (const id of ['1', '2', '4']) {
        const [delivery] = await expectClaim([id])
        check(delivery?.attempt === 1 && delivery.message.key === 'k', 'a first attempt')
        await settle(done(delivery))
      }
      const letters = await store.deadLetters(queue, { limit: 10 })
      checkEqual(
        letters.map((letter) => letter.message.id),
        ['3'],
        'still dead',
      )
    },
  },
  {
    name: 'redrive brings letters back under their own ids, in order of publication',
    shows: ['DL-3'],
    async run(bench) {
      const { publish, claim, settle, expectClaim, store, queue } = await workBench(bench)
      await publish(...['1', '2', '3'].map((id) => message(id)))
      await settle(...(await claim()).map((delivery) => dead(delivery)))
      checkEqual(await store.redrive(queue, ['3', '1']), 2, 'moved')
      const back = await expectClaim(['1', '3'])
      check(
        back.every(({ attempt }) => attempt === 1),
        'first attempts',
      )
    },
  },
  {
    name: 'a letter redriven while its key is in flight waits for its turn',
    shows: ['DL-3', 'KO-1'],
    skip: needsKeys,
    async run(bench) {
      const { publish, take, settle, expectClaim, store, queue } = await workBench(bench)
      await publish(...['1', '2', '3'].map((id) => message(id, { key: 'k' })))
      await settle(dead(await take()))
      const second = await take()
      checkEqual(await store.redrive(queue, ['1']), 1, 'moved')
      await expectClaim([])
      await settle(done(second))
      const [first] = await expectClaim(['1'])
      check(first !== undefined, 'the letter comes before what is younger')
      await settle(done(first))
      await expectClaim(['3'])
    },
  },
  {
    name: 'a letter redriven ten times stays dead',
    shows: ['DL-3'],
    async run(bench) {
      const { publish, take, settle, store, queue } = await workBench(bench)
      await publish(message('a'))
      for (let redrives = 0; redrives < 10; redrives += 1) {
        await settle(dead(await take()))
        checkEqual(await store.redrive(queue, ['a']), 1, `redrive ${redrives + 1}`)
      }
      await settle(dead(await take()))
      checkEqual(await store.redrive(queue, ['a']), 0, 'the eleventh')
      const [letter] = await store.deadLetters(queue, { limit: 1 })
      checkEqual(letter?.redrives, 10, 'redrives')
    },
  },
]
