/**
 * SQLite of a simulated machine: one database in memory per path, shared by its processes, executed by
 * the same code as in production. A batch runs whole, in one event; before it lies the commit window
 * (the write lock is held, nothing has happened), after it the way of the answer. A kill in the window
 * leaves nothing; a kill behind it leaves a commit that nobody was told of.
 */
import { ClosedError, LimitExceededError } from '../errors.ts'
import type { SqlBatch, SqlEngine, SqlFile, SqlOpenOptions, SqlOutcome } from '../runtime/sql.ts'
import { requireBatch, requireTopic } from '../runtime/sql-limits.ts'
import type { Draws } from './chance.ts'
import type { Core } from './core.ts'
import { type Incarnation, never } from './incarnation.ts'
import { databaseFile } from './sql-file.ts'
import {
  busyError,
  type Connection,
  lockPollUs,
  type Shared,
  sqlQueue,
  sqlTimes,
} from './sql-queue.ts'
import { streamOf } from './weather.ts'

export interface SqlDisk {
  engine(owner: Incarnation): SqlEngine
  /** Power cut: takes a suffix of relaxed commits from each file. */
  crash(): void
  /** The world is over. */
  close(): void
}

const batchesMax = 10_000
const bytesMax = 67_108_864
export function sqlDisk(core: Core, machine: string): SqlDisk {
  const { scheduler, weather } = core
  const files = new Map<string, Shared>()
  const { pump } = sqlQueue(core, machine)
  const crashDraws = streamOf(core.key, `sql crash of ${machine}`)

  function run(shared: Shared, connection: Connection, batch: SqlBatch): Promise<SqlOutcome> {
    if (!connection.owner.alive) return never()
    if (connection.closed) throw new ClosedError(`${shared.path} was closed`)
    const sizeBytes = requireBatch(batch)
    if (connection.queue.length >= batchesMax || connection.queuedBytes + sizeBytes > bytesMax) {
      throw new LimitExceededError(
        `more than ${batchesMax} batches or ${bytesMax} bytes wait for ${shared.path}`,
      )
    }
    connection.queuedBytes += sizeBytes
    return new Promise((resolve, reject) => {
      const sinceUs = scheduler.nowUs()
      connection.queue.push({ batch: copied(batch), sizeBytes, sinceUs, resolve, reject })
      pump(shared, connection)
    })
  }

  function fileOf(shared: Shared, connection: Connection): SqlFile {
    return {
      run: async (batch) => run(shared, connection, batch),
      listen(topic, wake) {
        requireTopic(topic)
        // A closure of its own, so that one callback may listen twice.
        const entry = (): void => wake()
        let wakes = connection.topics.get(topic)
        if (wakes === undefined) {
          wakes = new Set()
          connection.topics.set(topic, wakes)
        }
        wakes.add(entry)
        return () => {
          const left = connection.topics.get(topic)
          left?.delete(entry)
          if (left?.size === 0) connection.topics.delete(topic)
        }
      },
      async close() {
        if (!connection.owner.alive) return never()
        connection.closed = true
        connection.topics.clear()
        if (connection.busy || connection.queue.length > 0) {
          await new Promise<void>((resolve) => connection.closing.push(resolve))
        }
        connection.leave()
      },
    }
  }

  function sharedFile(path: string): Shared {
    let shared = files.get(path)
    if (shared === undefined) {
      const file = databaseFile(core.platform.openDatabase(), path)
      shared = { file, path, connections: new Set(), writer: undefined }
      files.set(path, shared)
    }
    return shared
  }

  function open(owner: Incarnation, options: SqlOpenOptions, draws: Draws): Promise<SqlFile> {
    const { path, migrations, busyMs = 5_000 } = options
    const untilUs = scheduler.nowUs() + busyMs * 1_000
    return new Promise((resolve, reject) => {
      const attempt = (): void => {
        const shared = sharedFile(path)
        const { writer } = shared
        if (writer !== undefined && scheduler.nowUs() < untilUs) {
          scheduler.after(owner, lockPollUs, 'sql waited', attempt)
          return
        }
        try {
          if (writer !== undefined) throw busyError(path, writer, busyMs)
          shared.file.migrate(migrations)
          resolve(fileOf(shared, connect(shared, owner, busyMs, draws)))
        } catch (error) {
          reject(error)
        }
      }
      const delayUs = weather.diskUs(machine, sqlTimes.commit, draws)
      scheduler.after(owner, delayUs, 'sql open', attempt)
    })
  }

  function connect(shared: Shared, owner: Incarnation, busyMs: number, draws: Draws): Connection {
    const connection: Connection = {
      owner,
      draws,
      busyMs,
      queue: [],
      queuedBytes: 0,
      busy: false,
      closed: false,
      closing: [],
      topics: new Map(),
      leave() {
        owner.endings.delete(connection.leave)
        shared.connections.delete(connection)
        if (shared.writer === connection) shared.writer = undefined
      },
    }
    shared.connections.add(connection)
    owner.endings.add(connection.leave)
    return connection
  }

  return {
    engine(owner) {
      let opened = 0
      return {
        async open(options) {
          if (!owner.alive) return never()
          return open(owner, options, streamOf(owner.key, `sql ${options.path} ${opened++}`))
        },
      }
    },
    crash() {
      for (const { file } of files.values()) file.crash(crashDraws)
    },
    close() {
      for (const { file } of files.values()) file.close()
      files.clear()
    },
  }
}

/** The batch as sent: what the sender does to its bytes afterwards is its own affair. */
function copied(batch: SqlBatch): SqlBatch {
  return {
    ...batch,
    statements: batch.statements.map((statement) =>
      statement.parameters?.some((value) => value instanceof Uint8Array)
        ? {
            ...statement,
            parameters: statement.parameters.map((value) =>
              value instanceof Uint8Array ? value.slice() : value,
            ),
          }
        : statement,
    ),
  }
}
