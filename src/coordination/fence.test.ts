import { describe, expect, it } from 'vitest'
import type { SqlFile } from '../runtime/index.ts'
import { inVirtualTime } from '../simulation/node/index.ts'
import { acceptFence, fenceTable } from './fence.ts'

function bench(body: (file: SqlFile) => Promise<void>): () => Promise<void> {
  return () =>
    inVirtualTime(async (_world, runtime) => {
      const tables = 'CREATE TABLE effect (token INTEGER NOT NULL)'
      const file = await runtime.sql.open({ path: '/data.db', migrations: [fenceTable, tables] })
      await body(file)
      await file.close()
    })
}

const write = (file: SqlFile, name: string, token: bigint) =>
  file.run({
    statements: [
      acceptFence('shop', name, token),
      { sql: 'INSERT INTO effect VALUES (?1)', parameters: [token] },
    ],
  })

describe('acceptFence', () => {
  it(
    'G-4, LK-1: a smaller token is refused with the whole batch, an equal one passes',
    bench(async (file) => {
      expect((await write(file, 'a', 2n)).refusedAt).toBeUndefined()
      expect((await write(file, 'a', 2n)).refusedAt).toBeUndefined()
      expect((await write(file, 'a', 1n)).refusedAt).toBe(0)
      expect((await write(file, 'a', 3n)).refusedAt).toBeUndefined()
      expect((await write(file, 'a', 2n)).refusedAt).toBe(0)
      const { results } = await file.run({
        statements: [{ sql: 'SELECT token FROM effect ORDER BY token' }],
      })
      expect(results[0]?.rows.map(({ token }) => token)).toEqual([2, 2, 3])
    }),
  )

  it(
    'names and spaces do not meet',
    bench(async (file) => {
      await write(file, 'a', 5n)
      expect((await write(file, 'b', 1n)).refusedAt).toBeUndefined()
      const elsewhere = await file.run({ statements: [acceptFence('other', 'a', 1n)] })
      expect(elsewhere.refusedAt).toBeUndefined()
    }),
  )

  it(
    'G-9: tokens beyond 2^53 are told apart',
    bench(async (file) => {
      const large = 2n ** 63n - 1n
      expect((await write(file, 'a', large)).refusedAt).toBeUndefined()
      expect((await write(file, 'a', large - 1n)).refusedAt).toBe(0)
      expect(() => acceptFence('shop', 'a', 2n ** 63n)).toThrow('expected a bigint')
      expect(() => acceptFence('shop', 'a', 0n)).toThrow('expected a bigint')
    }),
  )

  it(
    'the table script may run again',
    bench(async (file) => {
      await write(file, 'a', 5n)
      await file.run({ statements: [{ sql: fenceTable }] })
      expect((await write(file, 'a', 4n)).refusedAt).toBe(0)
    }),
  )
})
