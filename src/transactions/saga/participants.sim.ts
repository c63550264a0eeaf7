/**
 * The participants of the saga trial: a store room and a bank, each on its own machine with its own
 * database, asked over streams that break. Every effect leaves a row, so that doing it twice shows.
 */
import { embeddedDatabase } from '../../drivers/embedded/sql-database.ts'
import { HoldfastError, OutcomeUnknownError } from '../../errors.ts'
import type { SqlDatabase } from '../../ports/sql-database.ts'
import { type Runtime, type SqlRow, type SqlStatement, sleep } from '../../runtime/index.ts'
import type { World } from '../../simulation/world.ts'
import { effectOnceTables } from '../effect.ts'
import { type Participant, participant } from '../participant.ts'

export const initialStock = 4
export const initialBalance = 250

const stockTables = `
  CREATE TABLE shelf (free INTEGER NOT NULL);
  INSERT INTO shelf VALUES (${initialStock});
  CREATE TABLE reservation (saga TEXT NOT NULL, shipped INTEGER NOT NULL);`
const bankTables = `
  CREATE TABLE account (balance INTEGER NOT NULL);
  INSERT INTO account VALUES (${initialBalance});
  CREATE TABLE charge (saga TEXT NOT NULL, amount INTEGER NOT NULL);
  CREATE TABLE thanks (saga TEXT NOT NULL);`

export type Place = 'stock' | 'bank'

export interface Request {
  readonly verb: 'reserve' | 'charge' | 'ship' | 'thank' | 'undo reserve' | 'undo charge' | 'dump'
  readonly key: string
  readonly saga: string
  readonly amount: number
}

/** A participant that is broken on purpose. */
export type PlantedParticipant = (sound: Participant, db: SqlDatabase) => Participant

export function participants(world: World, plant: PlantedParticipant = (sound) => sound): void {
  for (const place of ['stock', 'bank'] as const) {
    world.machine(place).process(place, async (runtime) => {
      const db = await persistently(runtime, () =>
        embeddedDatabase(runtime, {
          path: '/participant.db',
          migrations: [effectOnceTables, place === 'stock' ? stockTables : bankTables],
        }),
      )
      const sound = participant(db, { scope: place })
      await serve(runtime, addressOf(place), (request) => answer(db, plant(sound, db), request))
    })
  }
}

const addressOf = (place: Place): string => `${place}:7000`

async function answer(db: SqlDatabase, side: Participant, request: Request): Promise<unknown> {
  const { verb, key, saga, amount } = request
  const sql = (text: string, parameters: (string | number)[], expect?: number): SqlStatement => ({
    sql: text,
    parameters,
    ...(expect === undefined ? {} : { expect }),
  })
  switch (verb) {
    case 'reserve':
      return side.apply(key, [
        sql('UPDATE shelf SET free = free - 1 WHERE free > 0', [], 1),
        sql('INSERT INTO reservation VALUES (?1, 0)', [saga]),
      ])
    case 'undo reserve':
      return side.undo(key, [
        sql('UPDATE shelf SET free = free + 1', []),
        sql('DELETE FROM reservation WHERE saga = ?1', [saga], 1),
      ])
    case 'ship':
      return side.apply(key, [sql('UPDATE reservation SET shipped = 1 WHERE saga = ?1', [saga], 1)])
    case 'charge':
      return side.apply(key, [
        sql('UPDATE account SET balance = balance - ?1 WHERE balance >= ?1', [amount], 1),
        sql('INSERT INTO charge VALUES (?1, ?2)', [saga, amount]),
      ])
    case 'undo charge':
      return side.undo(key, [
        sql('UPDATE account SET balance = balance + ?1', [amount]),
        sql('DELETE FROM charge WHERE saga = ?1', [saga], 1),
      ])
    case 'thank':
      return side.apply(key, [sql('INSERT INTO thanks VALUES (?1)', [saga])])
    case 'dump':
      return dump(db, key.split(' '))
  }
}

async function dump(db: SqlDatabase, tables: readonly string[]): Promise<Record<string, SqlRow[]>> {
  const statements = tables.map((table) => ({ sql: `SELECT * FROM ${table} ORDER BY 1` }))
  const { results } = await db.run({ mode: 'read', statements })
  return Object.fromEntries(
    tables.map((table, index) => [table, [...(results[index]?.rows ?? [])]]),
  )
}

/** One request and one answer per stream; a failure is told by its outcome. */
async function serve(
  runtime: Runtime,
  address: string,
  handle: (request: Request) => Promise<unknown>,
): Promise<void> {
  await runtime.network.listen(address, (stream) => {
    let text = ''
    stream.receive({
      data(bytes) {
        text += new TextDecoder().decode(bytes)
      },
      ended() {
        const request = parse(text) as Request | undefined
        if (request === undefined) return stream.destroy() // cut off in the middle
        runtime.tasks.spawn('answer', async () => {
          const answered = await handle(request).then(
            (value) => ({ value }),
            (error: unknown) => ({ error: String(error) }),
          )
          stream.write(new TextEncoder().encode(JSON.stringify(answered)))
          stream.end()
        })
      },
      failed() {},
    })
  })
  await new Promise(() => {})
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** @throws {UnavailableError} not connected. @throws {OutcomeUnknownError} sent, and no good answer. */
export async function ask(runtime: Runtime, place: Place, request: Request): Promise<unknown> {
  const stream = await runtime.network.connect(addressOf(place), { timeoutMs: 1_000 })
  const unknown = (reason: string): Error => new OutcomeUnknownError(`${request.verb}: ${reason}`)
  return new Promise((resolve, reject) => {
    let text = ''
    const timer = runtime.timers.schedule(2_000, () => {
      stream.destroy()
      reject(unknown('no answer'))
    })
    stream.receive({
      data(bytes) {
        text += new TextDecoder().decode(bytes)
      },
      ended() {
        timer.cancel()
        const answered = parse(text) as { value?: unknown; error?: string } | undefined
        if (answered !== undefined && 'value' in answered) resolve(answered.value)
        else reject(unknown(String(answered?.error ?? 'cut off')))
      },
      failed(error) {
        timer.cancel()
        reject(unknown(error.message))
      },
    })
    stream.write(new TextEncoder().encode(JSON.stringify(request)))
    stream.end()
  })
}

/** Repeats what is safe to repeat until it works. */
export async function persistently<T>(runtime: Runtime, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.outcome === 'invalid') throw error
      await sleep(runtime.timers, 100)
    }
  }
}
