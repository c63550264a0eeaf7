/**
 * Idempotency keys on trial. Callers on one machine send the same few payments again and again, over a
 * connection to the records that loses answers; the work is done in a second database, under the key.
 * Processes are killed and stopped, the machine loses power.
 *   two-answers   Everyone who gets an answer to a key gets the same one.
 *   twice         The effect of a key is there at most once, and if it was answered, exactly once.
 *   no-progress   After healing, every key gets its answer.
 */
import { embeddedDatabase } from '../drivers/embedded/sql-database.ts'
import { HoldfastError } from '../errors.ts'
import { trialRecords } from '../kernels/bad-line.sim.ts'
import type { RecordStore } from '../ports/record-store.ts'
import type { SqlDatabase } from '../ports/sql-database.ts'
import { type Runtime, sleep } from '../runtime/index.ts'
import type { World } from '../simulation/world.ts'
import { effectOnce, effectOnceTables } from './effect.ts'
import { idempotency } from './idempotency.ts'

/** A bug to plant, so that the trial can be shown to find it. */
export interface IdempotencyPlant {
  readonly store?: (store: RecordStore) => RecordStore
  readonly durability?: 'full' | 'relaxed'
  /** The effect is not tied to the key. */
  readonly careless?: boolean
}

const tables = 'CREATE TABLE payment (key TEXT NOT NULL, epoch TEXT NOT NULL)'
const holdMs = 800
/** Longer than the wall clock may be set forward: a step counts as time that has passed. */
const retainMs = 7 * 86_400_000
const keysMax = 6

export function idempotencyTrial(plant: IdempotencyPlant = {}): (world: World) => void {
  return (world) => {
    const answers = new Map<string, string>()
    const told = (key: string, answer: string): void => {
      const first = answers.get(key)
      if (first !== undefined && first !== answer) {
        world.fail('two-answers', `${key} was answered by ${first} and by ${answer}`)
      }
      answers.set(key, answer)
    }
    const machine = world.machine('m')
    for (const name of ['a', 'b', 'c']) {
      machine.process(name, (runtime) => call(world, runtime, plant, told))
    }
    world.afterHealing('no-progress', (runtime) => verify(world, runtime, plant, answers, told), {
      machine: 'm',
    })
  }
}

async function open(runtime: Runtime, plant: IdempotencyPlant, share: number) {
  const { durability = 'full' } = plant
  const [records, db] = await persistently(runtime, () =>
    Promise.all([
      trialRecords(runtime, { share, durability }),
      embeddedDatabase(runtime, { path: '/bank.db', migrations: [effectOnceTables, tables] }),
    ]),
  )
  return { keys: idempotency(runtime, plant.store?.(records) ?? records, { holdMs, retainMs }), db }
}

async function call(
  world: World,
  runtime: Runtime,
  plant: IdempotencyPlant,
  told: (key: string, answer: string) => void,
): Promise<void> {
  const { keys, db } = await open(runtime, plant, 0.15)
  const roll = (sides: number): number => Math.floor(runtime.random.fraction('calls') * sides)
  for (;;) {
    await sleep(runtime.timers, roll(300))
    const key = `pay-${Math.floor(world.nowMs() / 2_000)}-${roll(keysMax)}`
    try {
      const answer = await keys.run(key, asked(roll(2) * 1_000), async ({ key: id, epoch }) => {
        if (epoch > 1n) world.reached('a takeover')
        await sleep(runtime.timers, Math.floor(runtime.random.fraction('think') ** 3 * 2 * holdMs))
        return work(runtime, db, id, epoch, plant)
      })
      if (answer.status !== 'in-progress') told(key, answer.response)
      world.reached(answer.status)
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.outcome === 'invalid') throw error
    }
  }
}

function asked(waitMs: number) {
  return { operation: 'pay', fingerprint: 'x', waitMs }
}

/** Pays once. @returns an answer that tells attempts apart, so that everyone must get the stored one. */
async function work(
  runtime: Runtime,
  db: SqlDatabase,
  id: string,
  epoch: bigint,
  { careless = false }: IdempotencyPlant,
): Promise<string> {
  const key = careless ? `${id} ${epoch}` : id
  const parameters = [id, String(epoch)]
  await effectOnce(db, { scope: 'pay', id: key }, [
    { sql: 'INSERT INTO payment VALUES (?1, ?2)', parameters },
  ])
  return `${epoch} ${runtime.random.id('answer').slice(0, 8)}`
}

async function verify(
  world: World,
  runtime: Runtime,
  plant: IdempotencyPlant,
  answers: ReadonlyMap<string, string>,
  told: (key: string, answer: string) => void,
): Promise<void> {
  const { keys, db } = await open(runtime, plant, 0)
  for (const key of [...answers.keys()].sort()) {
    const answer = await keys.run(key, asked(60_000), ({ key: id, epoch }) =>
      work(runtime, db, id, epoch, plant),
    )
    if (answer.status === 'in-progress') return world.fail('no-progress', `${key} has no answer`)
    told(key, answer.response)
  }
  const sql = 'SELECT key, COUNT(*) AS times FROM payment GROUP BY key ORDER BY key'
  const { results } = await db.run({ mode: 'read', statements: [{ sql }] })
  const times = new Map((results[0]?.rows ?? []).map((row) => [String(row.key), row.times]))
  for (const [key, count] of times) {
    if (count !== 1) return world.fail('twice', `${key} was paid ${count} times`)
  }
  for (const key of answers.keys()) {
    if (!times.has(`0:/${key}`)) return world.fail('twice', `${key} was answered, but not paid`)
  }
}

async function persistently<T>(runtime: Runtime, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.outcome === 'invalid') throw error
      await sleep(runtime.timers, 100)
    }
  }
}
