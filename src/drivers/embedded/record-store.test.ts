import { describe, expect, it } from 'vitest'
import { CheckFailed } from '../../ports/check.ts'
import { recordStoreConformance } from '../../ports/record-store.conformance.ts'
import type { RecordStore, RecordWrite } from '../../ports/record-store.ts'
import { inVirtualTime } from '../../testing/index.ts'
import { runCase, titleOf } from './embedded-trial.ts'

const trial = {
  path: '/trial.db',
  pick: ({ records }: { readonly records: RecordStore }) => records,
}

describe('embedded records, in virtual time', () => {
  for (const testCase of recordStoreConformance) {
    it(titleOf(testCase), () =>
      inVirtualTime((_world, runtime) => runCase(runtime, testCase, trial)),
    )
  }
})

const writing = (store: RecordStore, change: (write: RecordWrite) => RecordWrite): RecordStore => ({
  ...store,
  put: (write) => store.put(change(write)),
  putAll: (writes) => store.putAll(writes.map(change)),
})

/** Bugs that real stores have had. Each must turn a named case red. */
const bugs: readonly {
  readonly name: string
  readonly caughtBy: string
  broken(store: RecordStore): RecordStore
}[] = [
  {
    name: 'the expected version is ignored',
    caughtBy: 'only one of two writers that read the same version succeeds',
    broken: (store) => writing(store, (write) => ({ ...write, expected: 'any' })),
  },
  {
    name: 'the version is compared before the write, not with it',
    caughtBy: 'absent creates once, also when two clients try at once',
    broken: (store) => ({
      ...store,
      async put(write) {
        const current = await store.get(write.space, write.key)
        if (write.expected === 'absent' && current !== undefined) return undefined
        return store.put({ ...write, expected: 'any' })
      },
    }),
  },
  {
    name: 'delete ignores the version',
    caughtBy: 'delete is by version and says false for what is not there',
    broken: (store) => ({
      ...store,
      async delete(space, key) {
        const current = await store.get(space, key)
        return current !== undefined && store.delete(space, key, current.version)
      },
    }),
  },
  {
    name: 'versions begin again with every record',
    caughtBy:
      'versions grow over deletion and re-creation, so a remembered version is never met again',
    broken: (store) => ({
      ...store,
      async put(write) {
        const version = await store.put(write)
        return write.expected === 'absent' && version !== undefined ? 1n : version
      },
    }),
  },
  {
    name: 'several writes are made one after the other',
    caughtBy: 'putAll writes all or none',
    broken: (store) => ({
      ...store,
      async putAll(writes) {
        const versions: bigint[] = []
        for (const write of writes) {
          const version = await store.put(write)
          if (version === undefined) return undefined
          versions.push(version)
        }
        return versions
      },
    }),
  },
  {
    name: 'due is early',
    caughtBy: 'due lists what has come due, earliest first, ties by key, and nothing early',
    broken: (store) =>
      writing(store, (write) => (write.dueInMs === undefined ? write : { ...write, dueInMs: 0 })),
  },
  {
    name: 'expiry is ignored',
    caughtBy: 'an expired record is absent for every call and can be created anew',
    broken: (store) => writing(store, ({ expiresInMs, ...write }) => write),
  },
]

describe('the cases of records find', () => {
  for (const { name, caughtBy, broken } of bugs) {
    it(`G-14: ${name}`, async () => {
      const testCase = recordStoreConformance.find((one) => one.name === caughtBy)
      if (testCase === undefined) throw new Error(`no case is called "${caughtBy}"`)
      const run = inVirtualTime((_world, runtime) =>
        runCase(runtime, testCase, { ...trial, broken }),
      )
      await expect(run).rejects.toThrow(CheckFailed)
    })
  }
})
