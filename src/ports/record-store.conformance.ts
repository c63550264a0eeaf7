/**
 * What every RecordStore must do, as cases. The important ones are the conflicts: two clients who have
 * read the same version, and a record that was deleted and made again while somebody remembered it.
 */
import { InvalidArgumentError } from '../errors.ts'
import { check, checkEqual, checkRejects } from './check.ts'
import type { ConformanceCase } from './conformance.ts'
import type { RecordStore, RecordWrite } from './record-store.ts'

type RecordCase = ConformanceCase<RecordStore>

const write = (
  space: string,
  key: string,
  more: Partial<Omit<RecordWrite, 'space' | 'key'>> = {},
): RecordWrite => ({ space, key, value: '{}', expected: 'any', ...more })

async function created(store: RecordStore, one: RecordWrite): Promise<bigint> {
  const version = await store.put(one)
  check(version !== undefined, `"${one.key}" could be written`)
  return version
}

const versions: readonly RecordCase[] = [
  {
    name: 'a record reads back as written, and an absent one as undefined',
    shows: [],
    async run({ store, unique }) {
      const space = unique('records')
      const value = JSON.stringify({ text: 'zoë 🐙 \u2028', zero: '\0', big: 2 ** 53 })
      const version = await created(store, write(space, 'a', { value, expected: 'absent' }))
      checkEqual(await store.get(space, 'a'), { key: 'a', value, version }, 'the record')
      checkEqual(await store.get(space, 'b'), undefined, 'an absent record')
      checkEqual(await store.get(unique('other'), 'a'), undefined, 'the key in another space')
    },
  },
  {
    name: 'only one of two writers that read the same version succeeds',
    shows: ['IK-1'],
    async run({ store, another, unique }) {
      const space = unique('records')
      const other = await another()
      const expected = await created(store, write(space, 'a'))
      const outcomes = await Promise.all([
        store.put(write(space, 'a', { value: '"first"', expected })),
        other.put(write(space, 'a', { value: '"second"', expected })),
      ])
      checkEqual(outcomes.filter((version) => version !== undefined).length, 1, 'writes accepted')
      const winner = outcomes[0] === undefined ? '"second"' : '"first"'
      checkEqual((await store.get(space, 'a'))?.value, winner, 'the value of the winner')
    },
  },
  {
    name: 'absent creates once, also when two clients try at once',
    shows: ['IK-1', 'IB-1'],
    async run({ store, another, unique }) {
      const space = unique('records')
      const other = await another()
      const outcomes = await Promise.all(
        [store, other, store, other].map((client) =>
          client.put(write(space, 'a', { expected: 'absent' })),
        ),
      )
      checkEqual(outcomes.filter((version) => version !== undefined).length, 1, 'creations')
    },
  },
  {
    name: 'a refused write leaves value and version alone',
    shows: [],
    async run({ store, unique }) {
      const space = unique('records')
      const version = await created(store, write(space, 'a', { value: '1' }))
      const stale = version - 1n
      checkEqual(await store.put(write(space, 'a', { expected: stale })), undefined, 'stale')
      checkEqual(await store.put(write(space, 'b', { expected: version })), undefined, 'no record')
      checkEqual(await store.get(space, 'a'), { key: 'a', value: '1', version }, 'the record')
    },
  },
  {
    name: 'versions grow over deletion and re-creation, so a remembered version is never met again',
    shows: ['G-4'],
    async run({ store, unique }) {
      const space = unique('records')
      const seen: bigint[] = []
      for (let round = 0; round < 4; round += 1) {
        const version = await created(store, write(space, 'a', { expected: 'absent' }))
        check(version > (seen.at(-1) ?? -1n), `version ${version} is above ${seen.join()}`)
        for (const old of seen) {
          checkEqual(
            await store.put(write(space, 'a', { expected: old })),
            undefined,
            'old version',
          )
          checkEqual(await store.delete(space, 'a', old), false, 'deletion by an old version')
        }
        seen.push(version)
        checkEqual(await store.delete(space, 'a', version), true, 'deletion')
      }
    },
  },
  {
    name: 'delete is by version and says false for what is not there',
    shows: [],
    async run({ store, unique }) {
      const space = unique('records')
      const first = await created(store, write(space, 'a'))
      const second = await created(store, write(space, 'a'))
      checkEqual(await store.delete(space, 'a', first), false, 'by the version before')
      checkEqual(await store.delete(space, 'a', second), true, 'by the current version')
      checkEqual(await store.delete(space, 'a', second), false, 'again')
      checkEqual(await store.get(space, 'a'), undefined, 'afterwards')
    },
  },
  {
    name: 'putAll writes all or none',
    shows: ['IK-4'],
    async run({ store, unique }) {
      const space = unique('records')
      const a = await created(store, write(space, 'a', { value: '1' }))
      const refused = await store.putAll([
        write(space, 'b', { expected: 'absent' }),
        write(space, 'a', { value: '2', expected: a - 1n }),
        write(space, 'c', { expected: 'absent' }),
      ])
      checkEqual(refused, undefined, 'one stale expectation')
      checkEqual((await store.list(space, { limit: 10 })).length, 1, 'records afterwards')
      const written = await store.putAll([
        write(space, 'b', { expected: 'absent' }),
        write(space, 'a', { value: '2', expected: a }),
      ])
      check(written?.length === 2, 'two versions come back')
      checkEqual((await store.get(space, 'a'))?.version, written[1], 'versions come in order')
      checkEqual((await store.get(space, 'b'))?.version, written[0], 'versions come in order')
    },
  },
]

const time: readonly RecordCase[] = [
  {
    name: 'due lists what has come due, earliest first, ties by key, and nothing early',
    shows: ['QD-1'],
    async run({ store, passMs, unique }) {
      const space = unique('records')
      await created(store, write(space, 'late', { dueInMs: 600_000 }))
      await created(store, write(space, 'never'))
      await store.putAll([
        write(space, 'c', { dueInMs: 100 }),
        write(space, 'b', { dueInMs: 100 }),
        write(space, 'a', { dueInMs: 300 }),
      ])
      checkEqual(await store.due(space, 10), [], 'before anything is due')
      await passMs(500)
      const keys = (await store.due(space, 10)).map(({ key }) => key)
      checkEqual(keys, ['b', 'c', 'a'], 'due records')
      checkEqual((await store.due(space, 2)).length, 2, 'due records, at most two')
      const late = await store.get(space, 'late')
      check(late?.dueInMs !== undefined && late.dueInMs > 500_000, 'the rest of the delay is told')
      const due = await store.get(space, 'b')
      check(due?.dueInMs !== undefined && due.dueInMs <= 0, 'a due record says so')
    },
  },
  {
    name: 'a write moves or removes the due time; due claims nothing',
    shows: [],
    async run({ store, passMs, unique }) {
      const space = unique('records')
      await created(store, write(space, 'a', { dueInMs: 0 }))
      await created(store, write(space, 'b', { dueInMs: 0 }))
      await passMs(50)
      const [a] = await store.due(space, 1)
      checkEqual((await store.due(space, 1))[0]?.key, a?.key, 'still due')
      check(a !== undefined, 'a record is due')
      await created(store, write(space, 'a', { dueInMs: 600_000, expected: a.version }))
      await created(store, write(space, 'b'))
      checkEqual(await store.due(space, 10), [], 'after both were written')
      checkEqual((await store.get(space, 'b'))?.dueInMs, undefined, 'no due time')
    },
  },
  {
    name: 'an expired record is absent for every call and can be created anew',
    shows: ['IK-5'],
    async run({ store, passMs, unique }) {
      const space = unique('records')
      const old = await created(store, write(space, 'a', { expiresInMs: 100, dueInMs: 0 }))
      await created(store, write(space, 'b', { expiresInMs: 600_000 }))
      await passMs(300)
      checkEqual(await store.get(space, 'a'), undefined, 'get')
      checkEqual(await store.due(space, 10), [], 'due')
      checkEqual((await store.list(space, { limit: 10 })).length, 1, 'list')
      checkEqual(await store.put(write(space, 'a', { expected: old })), undefined, 'put by version')
      checkEqual(await store.delete(space, 'a', old), false, 'delete')
      const anew = await created(store, write(space, 'a', { expected: 'absent' }))
      check(anew > old, 'the new version is higher')
    },
  },
  {
    name: 'a write without expiry keeps the record',
    shows: [],
    async run({ store, passMs, unique }) {
      const space = unique('records')
      await created(store, write(space, 'a', { expiresInMs: 100 }))
      await created(store, write(space, 'a'))
      await passMs(300)
      check((await store.get(space, 'a')) !== undefined, 'the record is still there')
    },
  },
]

const rest: readonly RecordCase[] = [
  {
    name: 'list pages through a space in order of key',
    shows: ['G-11'],
    async run({ store, unique }) {
      const space = unique('records')
      const keys = ['a', 'a/1', 'a/10', 'a/2', 'b', 'ä', '漢']
      for (const key of [...keys].reverse()) await created(store, write(space, key))
      const seen: string[] = []
      for (let page = await store.list(space, { limit: 3 }); page.length > 0; ) {
        seen.push(...page.map(({ key }) => key))
        page = await store.list(space, { limit: 3, after: seen.at(-1) ?? '' })
      }
      checkEqual(seen, keys, 'all keys, each once')
    },
  },
  {
    name: 'increment is atomic, exact beyond 2^53 and refuses to leave 64 bits',
    shows: ['G-9'],
    async run({ store, another, unique }) {
      const space = unique('records')
      const other = await another()
      const sums = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          (index % 2 === 0 ? store : other).increment(space, 'n', 1n),
        ),
      )
      checkEqual(new Set(sums).size, 20, 'different sums')
      checkEqual(await store.increment(space, 'n', 2n ** 62n), 2n ** 62n + 20n, 'a large sum')
      await checkRejects(
        store.increment(space, 'n', 2n ** 62n),
        InvalidArgumentError,
        'past 64 bits',
      )
      checkEqual(await store.increment(space, 'n', -(2n ** 62n)), 20n, 'the sum was left alone')
    },
  },
  {
    name: 'watch wakes after a write of another client, and not after it is stopped',
    shows: ['G-13', 'G-8'],
    async run({ store, another, passMs, unique }) {
      const space = unique('records')
      const other = await another()
      let wakes = 0
      const stop = store.watch(space, () => {
        wakes += 1
      })
      await passMs(50)
      await created(other, write(space, 'a'))
      for (let waits = 0; wakes === 0 && waits < 100; waits += 1) await passMs(50)
      check(wakes > 0, 'the watcher was woken within 5 s')
      stop()
      await passMs(100)
      const before = wakes
      await created(other, write(space, 'a'))
      await passMs(100)
      checkEqual(wakes, before, 'wakes after the watch was stopped')
    },
  },
  {
    name: 'names and values outside their limits are refused by name',
    shows: ['IK-6', 'G-9', 'G-11'],
    async run({ store, unique }) {
      const space = unique('records')
      const bad: readonly [string, RecordWrite][] = [
        ['an empty key', write(space, '')],
        ['a blank key', write(space, ' \t')],
        ['a key of 513 characters', write(space, 'k'.repeat(513))],
        ['half a surrogate pair', write(space, '\ud800')],
        ['an empty space', write('', 'a')],
        ['a space of 101 characters', write('s'.repeat(101), 'a')],
        ['a large value', write(space, 'a', { value: `"${'v'.repeat(1_048_577)}"` })],
        ['half a delay', write(space, 'a', { dueInMs: 0.5 })],
        ['no number', write(space, 'a', { expiresInMs: Number.NaN })],
      ]
      for (const [what, one] of bad) {
        await checkRejects(store.put(one), InvalidArgumentError, what)
      }
      await checkRejects(store.putAll([]), InvalidArgumentError, 'no writes')
      const many = Array.from({ length: 101 }, (_, index) => write(space, `k${index}`))
      await checkRejects(store.putAll(many), InvalidArgumentError, '101 writes')
      const twice = [write(space, 'a'), write(space, 'a')]
      await checkRejects(store.putAll(twice), InvalidArgumentError, 'one record twice')
      await checkRejects(store.due(space, 0), InvalidArgumentError, 'a limit of 0')
      await checkRejects(store.list(space, { limit: 1_001 }), InvalidArgumentError, 'limit 1,001')
      checkEqual(await store.list(space, { limit: 10 }), [], 'nothing was written')
      await created(store, write(space, 'k'.repeat(512), { value: `"${'v'.repeat(1_000_000)}"` }))
    },
  },
]

export const recordStoreConformance: readonly RecordCase[] = [...versions, ...time, ...rest]
