/**
 * What may be asked, and what can be seen: names compared exactly, limits kept, lists in order.
 */
import { InvalidArgumentError } from '../errors.ts'
import { check, checkEqual, checkRejects } from './check.ts'
import type { ConformanceCase } from './conformance.ts'
import { ask, longMs, pastShort, shortMs, take } from './lease-bench.ts'
import type { LeaseRequest, LeaseStore } from './lease-store.ts'

export const leaseInputCases: readonly ConformanceCase<LeaseStore>[] = [
  {
    name: 'names are compared exactly, in any script',
    shows: ['G-9'],
    async run(bench) {
      const base = bench.unique('exact')
      const endings = [
        '', 'a', 'A', 'a ', ' a', 'é', 'e\u0301', 'ß', 'ss', '鎖', '🔒', '\u{10ffff}', '%', '_',
        '*', "'", '"', '{a}', 'a/b', 'a\nb',
      ] // biome-ignore format: a table
      for (const ending of endings) {
        const lease = await take(bench, `${base}${ending}`)
        checkEqual(lease.name, `${base}${ending}`, 'the name comes back')
      }
      for (const ending of endings) {
        checkEqual(await ask(bench, `${base}${ending}`), undefined, 'each is held')
      }
    },
  },
  {
    // Many engines end a text at NUL: two names would become one.
    name: 'a NUL character in a name is kept or refused, never cut off',
    shows: ['G-9'],
    async run(bench) {
      const base = bench.unique('nul')
      await take(bench, base)
      const answer = await ask(bench, `${base}\u0000`).catch((error: unknown) => error)
      if (answer instanceof Error) checkEqual(answer.name, InvalidArgumentError.name, 'refused')
      else check(answer !== undefined, 'it is another name')
    },
  },
  {
    name: 'a name of 512 characters is a name, and one of 513 is not',
    shows: ['G-9', 'G-11'],
    async run(bench) {
      const longest = bench.unique('longest').padEnd(512, 'x')
      await take(bench, longest)
      await checkRejects(ask(bench, `${longest}x`), InvalidArgumentError, '513 characters')
    },
  },
  {
    name: 'what is out of range is refused by name, before anything happens',
    shows: ['G-9', 'G-11'],
    async run(bench) {
      const { capabilities } = bench.store
      const name = bench.unique('invalid')
      const wrong: readonly Partial<LeaseRequest>[] = [
        { name: '' },
        { name: ' \t' },
        { name: 'half \ud83d' },
        { ttlMs: capabilities.ttlMinMs - 1 },
        { ttlMs: 0 },
        { ttlMs: 1.5 },
        { ttlMs: Number.NaN },
        { ttlMs: 86_400_001 },
        { attemptId: '' },
        { attemptId: 'x'.repeat(65) },
        { holder: 'x'.repeat(201) },
        ...(capabilities.fairness === 'fifo'
          ? [{ queueForMs: 0 }, { queueForMs: 3_600_001 }, { queueForMs: 0.5 }]
          : []),
      ]
      const attemptId = bench.runtime.random.id('conformance')
      for (const part of wrong) {
        await checkRejects(
          bench.store.acquire({ name, attemptId, ttlMs: longMs(bench.store), ...part }),
          InvalidArgumentError,
          JSON.stringify(part),
        )
      }
      const lease = await take(bench, name)
      await checkRejects(bench.store.renew(lease, 0), InvalidArgumentError, 'renew for 0 ms')
      await checkRejects(bench.store.list('', { limit: 0 }), InvalidArgumentError, 'list 0')
      await checkRejects(bench.store.list('', { limit: 1_001 }), InvalidArgumentError, 'list 1001')
    },
  },
  {
    name: 'a list shows who holds what, for how long, and how many wait',
    shows: ['LK-10'],
    async run(bench) {
      const name = bench.unique('info')
      const lease = await take(bench, name, { holder: 'billing-1' })
      const queueForMs = longMs(bench.store)
      await ask(bench, name, { queueForMs })
      const [info] = await bench.store.list(name, { limit: 10 })
      check(info !== undefined, 'it is listed')
      checkEqual([info.name, info.token, info.holder], [name, lease.token, 'billing-1'], 'who')
      check(info.remainingMs > 0 && info.remainingMs <= queueForMs, `for ${info.remainingMs} ms`)
      if (bench.store.capabilities.fairness === 'fifo') checkEqual(info.waiters, 1, 'waiters')
    },
  },
  {
    name: 'a list is by prefix, in order, in pages, without what is free',
    shows: ['LK-10', 'G-11'],
    async run(bench) {
      const base = bench.unique('list')
      const names = ['a', 'b', 'b/1', 'b/2', 'b/3', 'b0', 'c'].map((end) => `${base}${end}`)
      for (const name of names) await take(bench, name)
      await take(bench, `${base}b/expired`, { ttlMs: shortMs(bench.store) })
      await bench.store.release(await take(bench, `${base}b/released`))
      await pastShort(bench)
      const listed = async (prefix: string, limit: number, after?: string): Promise<string[]> => {
        const page = after === undefined ? { limit } : { limit, after: `${base}${after}` }
        const infos = await bench.store.list(`${base}${prefix}`, page)
        return infos.map(({ name }) => name.slice(base.length))
      }
      checkEqual(await listed('', 10), ['a', 'b', 'b/1', 'b/2', 'b/3', 'b0', 'c'], 'all')
      checkEqual(await listed('b/', 10), ['b/1', 'b/2', 'b/3'], 'by prefix')
      checkEqual(await listed('b/', 2), ['b/1', 'b/2'], 'the first page')
      checkEqual(await listed('b/', 2, 'b/2'), ['b/3'], 'the second page')
      checkEqual(await listed('d', 10), [], 'nothing')
    },
  },
]
