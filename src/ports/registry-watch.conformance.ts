/**
 * Watching: one whole snapshot, then every change once and in order, or an honest `compacted`.
 */
import { check, checkEqual } from './check.ts'
import type { ConformanceCase } from './conformance.ts'
import type { Registry } from './registry.ts'
import {
  believed,
  type Collected,
  collect,
  inWords,
  keysOf,
  openSession,
  shortMs,
  until,
} from './registry-bench.ts'

export const registryWatchCases: readonly ConformanceCase<Registry>[] = [
  {
    name: 'a watch is a snapshot, then every change once, in order of revision',
    shows: ['RG-2'],
    async run(bench) {
      const base = bench.unique('watch')
      const session = await openSession(bench)
      await bench.store.register(session, `${base}a`, '1')
      const watch = collect(bench, base, { registry: await bench.another() })
      await until(bench, 'a snapshot', () => watch.changes.length === 1)
      await bench.store.register(session, `${base}b`, '2')
      await bench.store.register(session, `${base}a`, '3')
      await bench.store.deregister(session, `${base}a`)
      await session.close()
      await until(bench, 'all changes', () => watch.changes.length >= 5)
      await watch.stop()
      checkEqual(
        inWords(watch.changes).map((words) => words.replaceAll(base, '')),
        [
          'snapshot a=1',
          'put b=2',
          'put a=3',
          'removed a (deregistered)',
          'removed b (deregistered)',
        ],
        'the changes',
      )
      const revisions = watch.changes.map(({ revision }) => revision)
      check(
        revisions.every((revision, index) => revision > (revisions[index - 1] ?? -1n)),
        `revisions grow: ${revisions.join(' ')}`,
      )
    },
  },
  {
    name: 'no change is lost between the snapshot and the events, whatever goes on meanwhile',
    shows: ['RG-2'],
    async run(bench) {
      const base = bench.unique('gap')
      const session = await openSession(bench)
      const whole = collect(bench, base)
      await until(bench, 'a snapshot', () => whole.changes.length === 1)
      const late: Collected[] = []
      for (let write = 0; write < 60; write += 1) {
        const key = `${base}${write % 7}`
        if (write % 10 === 5) late.push(collect(bench, base, { registry: await bench.another() }))
        if (write % 4 === 3) await bench.store.deregister(session, key)
        else await bench.store.register(session, key, String(write))
      }
      const { revision } = await bench.store.list(base)
      for (const watch of [whole, ...late]) {
        await until(bench, 'the newest change', () => {
          return (watch.changes.at(-1)?.revision ?? 0n) >= revision
        })
        await watch.stop()
        const from = watch.changes[0]?.revision ?? 0n
        const after = whole.changes.filter((change) => change.revision > from)
        checkEqual(watch.changes.slice(1), after, `the changes after ${from}`)
        checkEqual(believed(watch.changes), believed(whole.changes), 'what it believes')
      }
    },
  },
  {
    name: 'two watchers see the same changes in the same order',
    shows: ['RG-2'],
    async run(bench) {
      const base = bench.unique('two')
      const session = await openSession(bench)
      const watches = [
        collect(bench, base),
        collect(bench, base, { registry: await bench.another() }),
      ]
      for (const watch of watches) {
        await until(bench, 'a snapshot', () => watch.changes.length === 1)
      }
      for (const end of ['c', 'a', 'b']) await bench.store.register(session, base + end, end)
      await session.close()
      for (const watch of watches) {
        await until(bench, 'all changes', () => watch.changes.length === 7)
        await watch.stop()
      }
      checkEqual(watches[1]?.changes, watches[0]?.changes, 'the changes')
    },
  },
  {
    name: 'a watch that resumes sees only what came after its revision',
    shows: ['RG-2'],
    async run(bench) {
      const base = bench.unique('resume')
      const session = await openSession(bench)
      await bench.store.register(session, `${base}a`, '1')
      const fromRevision = (await bench.store.register(session, `${base}b`, '2')) ?? 0n
      await bench.store.register(session, `${base}c`, '3')
      const watch = collect(bench, base, { fromRevision })
      await until(bench, 'the change that was missed', () => watch.changes.length === 1)
      await bench.store.deregister(session, `${base}a`)
      await until(bench, 'the next change', () => watch.changes.length === 2)
      await watch.stop()
      checkEqual(
        inWords(watch.changes),
        [`put ${base}c=3`, `removed ${base}a (deregistered)`],
        'the changes',
      )
    },
  },
  {
    name: 'a place that the history does not hold is answered with compacted, and the watch ends',
    shows: ['RG-2'],
    async run(bench) {
      const base = bench.unique('compacted')
      const { revision } = await bench.store.list(base)
      const watch = collect(bench, base, { fromRevision: revision + 1_000_000n })
      await until(bench, 'the watch ends', watch.ended)
      checkEqual(inWords(watch.changes), ['compacted'], 'the changes')
    },
  },
  {
    name: 'the end of a session that was not kept alive is told as expired',
    shows: ['RG-2', 'RG-5'],
    async run(bench) {
      const mortal = await bench.mortal?.()
      if (mortal === undefined) return
      const key = bench.unique('expired')
      const ttlMs = shortMs(bench.store)
      const session = await mortal.store.openSession({ ttlMs, owner: 'mortal' })
      await mortal.store.register(session, key, 'x')
      const watch = collect(bench, key)
      await until(bench, 'a snapshot', () => watch.changes.length === 1)
      mortal.die()
      await bench.passMs(ttlMs)
      await until(bench, 'the removal', () => watch.changes.length === 2)
      await watch.stop()
      const [, removed] = watch.changes
      checkEqual(
        inWords(watch.changes),
        [`snapshot ${key}=x`, `removed ${key} (expired)`],
        'changes',
      )
      check(removed?.kind === 'removed' && removed.sessionId === session.id, 'of that session')
    },
  },
  {
    name: 'a prefix takes exactly the keys that start with it, in any script',
    shows: ['RG-2', 'G-9'],
    async run(bench) {
      const base = bench.unique('prefix')
      const session = await openSession(bench)
      const endings = [
        'a',
        'a/1',
        'a/é',
        'a/🔒',
        'a/\u{10ffff}',
        'a0',
        'ab',
        'A/1',
        '%',
        '_',
        'é/1',
      ]
      for (const end of endings) await bench.store.register(session, base + end, end)
      for (const prefix of ['', 'a', 'a/', 'a/\u{10ffff}', 'A', '%', '_', 'é', 'z', 'a/🔒']) {
        const keys = (await keysOf(bench.store, base + prefix)).map((key) => key.slice(base.length))
        checkEqual(
          [...keys].sort(),
          endings.filter((end) => end.startsWith(prefix)).sort(),
          `keys with the prefix ${JSON.stringify(prefix)}`,
        )
      }
      const everything = await keysOf(bench.store, '')
      check(
        endings.every((end) => everything.includes(base + end)),
        'the empty prefix takes all',
      )
    },
  },
  {
    name: 'a watcher is not told about keys outside its prefix',
    shows: ['RG-2'],
    async run(bench) {
      const base = bench.unique('outside')
      const session = await openSession(bench)
      const watch = collect(bench, `${base}/in`)
      await until(bench, 'a snapshot', () => watch.changes.length === 1)
      await bench.store.register(session, `${base}/out`, '')
      await bench.store.register(session, `${base}/in`, '')
      await until(bench, 'the change inside', () => watch.changes.length === 2)
      await watch.stop()
      checkEqual(inWords(watch.changes), ['snapshot ', `put ${base}/in=`], 'the changes')
    },
  },
  {
    name: 'aborting ends a watch without an error, also one that never began',
    shows: ['G-8'],
    async run(bench) {
      const watch = collect(bench, bench.unique('abort'))
      await until(bench, 'a snapshot', () => watch.changes.length === 1)
      await watch.stop()
      const aborted = AbortSignal.abort()
      for await (const change of bench.store.watch('', { signal: aborted })) {
        check(false, `an aborted watch yielded ${change.kind}`)
      }
    },
  },
]
