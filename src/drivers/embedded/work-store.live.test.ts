/**
 * The same cases on the real runtime, with a real file and real time; then consumers in processes of
 * their own, killed again and again in the middle of their work.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { recordStoreConformance } from '../../ports/record-store.conformance.ts'
import { sqlDatabaseConformance } from '../../ports/sql-database.conformance.ts'
import { workStoreConformance } from '../../ports/work-store.conformance.ts'
import { nodeRuntime } from '../../runtime/node/index.ts'
import { sleep } from '../../runtime/sleep.ts'
import { embedded } from './embedded.ts'
import { runCase, titleOf } from './embedded-trial.ts'
import { embeddedDatabase } from './sql-database.ts'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-'))
const path = join(folder, 'trial.db')
const runtime = nodeRuntime({ process: 'trial' })
const children = new Set<ChildProcess>()

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  await runtime.close()
  rmSync(folder, { recursive: true, force: true })
})

describe('embedded work, on a real file', () => {
  for (const testCase of workStoreConformance) {
    it(titleOf(testCase), async (context) => {
      const reason = await runCase(runtime, testCase, { path, pick: ({ work }) => work })
      if (reason !== undefined) context.skip(reason)
    })
  }
})

describe('embedded records, on a real file', () => {
  for (const testCase of recordStoreConformance) {
    it(titleOf(testCase), () =>
      runCase(runtime, testCase, { path, pick: ({ records }) => records }),
    )
  }
})

describe('the embedded database, on a real file', () => {
  for (const [index, testCase] of sqlDatabaseConformance.entries()) {
    it(titleOf(testCase), async () => {
      const options = { path: join(folder, `user-${index}.db`), migrations: [] }
      const opened = [await embeddedDatabase(runtime, options)]
      let names = 0
      await testCase.run({
        store: opened[0] ?? (await embeddedDatabase(runtime, options)),
        runtime,
        async another() {
          const database = await embeddedDatabase(runtime, options)
          opened.push(database)
          return database
        },
        passMs: (durationMs) => sleep(runtime.timers, durationMs),
        unique(label) {
          names += 1
          return `${label}-${names}`
        },
      })
      await Promise.all(opened.map((database) => database.close()))
    })
  }
})

const effectTable = 'CREATE TABLE effect (place INTEGER PRIMARY KEY, id TEXT UNIQUE, key TEXT)'

/** Makes the effect of each message once, in its own database, then settles. */
const consumer = `
  import { nodeRuntime } from 'holdfast/runtime/node'
  import { embedded, embeddedDatabase } from 'holdfast/drivers/embedded'
  const runtime = nodeRuntime()
  const { work } = await embedded(runtime, { path: ${JSON.stringify(path)}, namespace: 'killed' })
  const effects = await embeddedDatabase(runtime, {
    path: ${JSON.stringify(join(folder, 'effects.db'))},
    migrations: [${JSON.stringify(effectTable)}],
  })
  let wake = () => {}
  work.watch('jobs', () => wake())
  const claim = { limit: 5, leaseMs: 400, consumer: 'child', kinds: ['job'] }
  process.stdout.write('ready')
  for (;;) {
    const woken = new Promise((resolve) => { wake = resolve })
    const deliveries = await work.claim('jobs', claim)
    for (const { message, receipt, validUntilMs } of deliveries) {
      if (runtime.clock.monotonicMs() > validUntilMs) continue
      await effects.run({ statements: [{
        sql: 'INSERT INTO effect (id, key) VALUES (?1, ?2) ON CONFLICT (id) DO NOTHING',
        parameters: [message.id, message.key ?? null],
      }] })
      await work.settle('jobs', [{ receipt, outcome: 'done' }])
    }
    if (deliveries.length === 0) await woken
  }`

function startConsumer(): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', consumer], {
    cwd: fileURLToPath(new URL('../../../', import.meta.url)),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.add(child)
  return new Promise((resolve) => child.stdout.once('data', () => resolve(child)))
}

describe('embedded work, between real processes', () => {
  const kills = 20

  it(`QU-1, QU-3, IB-1: every message has its effect once, over ${kills} kills`, async () => {
    const { work, close } = await embedded(runtime, { path, namespace: 'killed' })
    await work.declare('jobs', { lengthMax: 10_000, overflow: 'reject', dedupMs: 600_000 })
    const messages = Array.from({ length: 3_000 }, (_, place) => ({
      id: `${place}`,
      kind: 'job',
      body: '{}',
      ...(place % 3 === 0 ? {} : { key: `key ${place % 7}` }),
    }))
    for (let from = 0; from < messages.length; from += 500) {
      await work.publish('jobs', messages.slice(from, from + 500))
    }
    const consumers = [await startConsumer(), await startConsumer()]
    for (let kill = 0; kill < kills; kill += 1) {
      await sleep(runtime.timers, 20 + runtime.random.fraction('kill') * 200)
      consumers[kill % 2]?.kill('SIGKILL')
      consumers[kill % 2] = await startConsumer()
    }
    let stats = await work.stats('jobs')
    for (let tries = 0; stats.ready + stats.inFlight + stats.blocked > 0; tries += 1) {
      expect(tries, JSON.stringify(stats)).toBeLessThan(600)
      await sleep(runtime.timers, 100)
      stats = await work.stats('jobs')
    }
    const effects = await embeddedDatabase(runtime, {
      path: join(folder, 'effects.db'),
      migrations: [effectTable],
    })
    const { results } = await effects.run({
      statements: [{ sql: 'SELECT id, key FROM effect ORDER BY place' }],
      mode: 'read',
    })
    const rows = results[0]?.rows ?? []
    expect(rows.length).toBe(messages.length)
    const lastOfKey = new Map<unknown, number>()
    for (const { id, key } of rows) {
      if (key === null) continue
      expect(Number(id), `order of ${key}`).toBeGreaterThan(lastOfKey.get(key) ?? -1)
      lastOfKey.set(key, Number(id))
    }
    await effects.close()
    await close()
  })
})
