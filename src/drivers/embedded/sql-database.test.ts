import { describe, expect, it } from 'vitest'
import { CheckFailed } from '../../ports/check.ts'
import type { ConformanceCase } from '../../ports/conformance.ts'
import { sqlDatabaseConformance } from '../../ports/sql-database.conformance.ts'
import type { SqlDatabase } from '../../ports/sql-database.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import { inVirtualTime } from '../../testing/index.ts'
import { titleOf } from './embedded-trial.ts'
import { embeddedDatabase } from './sql-database.ts'

async function runCase(
  runtime: Runtime,
  testCase: ConformanceCase<SqlDatabase>,
  broken: (store: SqlDatabase) => SqlDatabase = (store) => store,
): Promise<void> {
  const open = async (): Promise<SqlDatabase> =>
    broken(await embeddedDatabase(runtime, { path: '/user.db', migrations: [] }))
  let names = 0
  await testCase.run({
    store: await open(),
    runtime,
    another: open,
    passMs: (durationMs) => sleep(runtime.timers, durationMs),
    unique(label) {
      names += 1
      return `${label}-${names}`
    },
  })
}

describe('the embedded database, in virtual time', () => {
  for (const testCase of sqlDatabaseConformance) {
    it(titleOf(testCase), () => inVirtualTime((_world, runtime) => runCase(runtime, testCase)))
  }
})

const bugs: readonly {
  readonly name: string
  readonly caughtBy: string
  broken(store: SqlDatabase): SqlDatabase
}[] = [
  {
    name: 'each statement is a transaction of its own',
    caughtBy: 'an unmet expectation undoes the whole batch and says where',
    broken: (store) => ({
      ...store,
      async run({ statements, ...rest }) {
        const results = []
        for (const statement of statements) {
          const outcome = await store.run({ statements: [statement], ...rest })
          results.push(...outcome.results)
          if (outcome.refusedAt !== undefined) return { results, refusedAt: results.length - 1 }
        }
        return { results }
      },
    }),
  },
  {
    name: 'expectations are ignored',
    caughtBy: 'of two that take the last, one is refused',
    broken: (store) => ({
      ...store,
      run: ({ statements, ...rest }) =>
        store.run({ ...rest, statements: statements.map(({ expect, ...one }) => one) }),
    }),
  },
  {
    name: 'hints are dropped',
    caughtBy: 'a hint wakes a listener of another client after the commit',
    broken: (store) => ({ ...store, run: ({ hints, ...batch }) => store.run(batch) }),
  },
]

describe('the cases of databases find', () => {
  for (const { name, caughtBy, broken } of bugs) {
    it(`G-14: ${name}`, async () => {
      const testCase = sqlDatabaseConformance.find((one) => one.name === caughtBy)
      if (testCase === undefined) throw new Error(`no case is called "${caughtBy}"`)
      const run = inVirtualTime((_world, runtime) => runCase(runtime, testCase, broken))
      await expect(run).rejects.toThrow(CheckFailed)
    })
  }
})
