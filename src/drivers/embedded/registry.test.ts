import { describe, expect, it } from 'vitest'
import { CheckFailed } from '../../ports/check.ts'
import { registryConformance } from '../../ports/registry.conformance.ts'
import type { Registry } from '../../ports/registry.ts'
import { inVirtualTime } from '../../testing/index.ts'
import { runCase, titleOf } from './embedded-trial.ts'

const trial = {
  path: '/trial.db',
  pick: ({ registry }: { readonly registry: Registry }) => registry,
}

describe('embedded registry, in virtual time', () => {
  for (const testCase of registryConformance) {
    it(titleOf(testCase), () =>
      inVirtualTime((_world, runtime) => runCase(runtime, testCase, trial)),
    )
  }
})

/** Bugs that real registries have had. Each must turn a named case red. */
const bugs: readonly {
  readonly name: string
  readonly caughtBy: string
  broken(registry: Registry): Registry
}[] = [
  {
    name: 'deregistering looks at the key alone',
    caughtBy: 'a late deregistration of an old incarnation leaves the entry of the new one',
    broken(registry) {
      const owners = new Map<string, Parameters<Registry['register']>[0]>()
      return {
        ...registry,
        register(session, key, value) {
          owners.set(key, session)
          return registry.register(session, key, value)
        },
        deregister: (session, key) => registry.deregister(owners.get(key) ?? session, key),
      }
    },
  },
  {
    name: 'a watch loses every third change',
    caughtBy: 'a watch is a snapshot, then every change once, in order of revision',
    broken: (registry) => ({
      ...registry,
      async *watch(prefix, options) {
        let count = 0
        for await (const change of registry.watch(prefix, options)) {
          count += 1
          if (count % 3 !== 0) yield change
        }
      },
    }),
  },
  {
    name: 'a watch that resumes starts from now',
    caughtBy: 'a watch that resumes sees only what came after its revision',
    broken: (registry) => ({
      ...registry,
      async *watch(prefix, { signal }) {
        for await (const change of registry.watch(prefix, { signal })) {
          if (change.kind !== 'snapshot') yield change
        }
      },
    }),
  },
  {
    name: 'sessions of the dead never end',
    caughtBy: 'the entries of a client that died vanish at its expiry, and their keys are free',
    broken: (registry) => ({
      ...registry,
      openSession: (options) => registry.openSession({ ...options, ttlMs: 3_600_000 }),
    }),
  },
  {
    name: 'the snapshot comes after the events began',
    caughtBy: 'no change is lost between the snapshot and the events, whatever goes on meanwhile',
    broken: (registry) => ({
      ...registry,
      async *watch(prefix, options) {
        const { revision, entries } = await registry.list(prefix)
        yield { kind: 'snapshot', revision, entries }
        for await (const change of registry.watch(prefix, options)) {
          if (change.kind !== 'snapshot') yield change
        }
      },
    }),
  },
  {
    name: 'closing a session leaves its entries',
    caughtBy: 'closing a session removes all its entries at once, and only those',
    broken: (registry) => ({
      ...registry,
      async openSession(options) {
        const session = await registry.openSession(options)
        return { ...session, lost: session.lost, async close() {} }
      },
    }),
  },
]

describe('the registry cases turn red when', () => {
  for (const { name, caughtBy, broken } of bugs) {
    it(`G-14: ${name}`, async () => {
      const testCase = registryConformance.find((candidate) => candidate.name === caughtBy)
      if (testCase === undefined) throw new Error(`there is no case "${caughtBy}"`)
      await expect(
        inVirtualTime((_world, runtime) => runCase(runtime, testCase, { ...trial, broken })),
      ).rejects.toThrow(CheckFailed)
    })
  }
})
