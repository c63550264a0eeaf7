/**
 * SQLite of a simulated machine: one database in memory per path, shared by its processes, executed by
 * the same code as in production. A batch runs whole, in one event; before it lies the commit window
 * (the write lock is held, nothing has happened), after it the way of the answer. A kill in the window
 * leaves nothing; a kill behind it leaves a commit that nobody was told of.
 */
import { ClosedError, LimitExceededError, StoreBusyError } from '../errors.ts'
import type { SqlBatch, SqlEngine, SqlFile, SqlOpenOptions, SqlOutcome } from '../runtime/sql.ts'
import { requireBatch, requireTopic } from '../runtime/sql-limits.ts'
import type { Draws } from './chance.ts'
import type { Core } from './core.ts'
import { type Incarnation, never } from './incarnation.ts'
import { type DatabaseFile, databaseFile } from './sql-file.ts'
import { streamOf } from './weather.ts'

export interface SqlDisk {
  engine(owner: Incarnation): SqlEngine
  /** Power cut: takes a suffix of relaxed commits from each file. */
  crash(): void
  /** The world is over. */
  close(): void
}

/** One process's hold on one file. */
interface Connection {
  readonly owner: Incarnation
  readonly draws: Draws
  readonly busyMs: number
  readonly queue: Pending[]
  queuedBytes: number
  busy: boolean
  closed: boolean
  readonly closing: (() => void)[]
  readonly topics: Map<string, Set<() => void>>
  /** Gives up the file, and the lock with it: closed, or the process died. */
  readonly leave: () => void
}

interface Pending {
  readonly batch: SqlBatch
  readonly sizeBytes: number
  readonly sinceUs: number
  readonly resolve: (outcome: SqlOutcome) => void
  readonly reject: (error: Error) => void
}

/** The file as the processes of a machine share it. */
interface Shared {
  readonly file: DatabaseFile
  readonly path: string
  readonly connections: Set<Connection>
  /** Who is in its commit window. */
  writer: Connection | undefined
}

const batchesMax = 10_000
const bytesMax = 67_108_864
/** Median times, in microseconds. */
const times = { read: 40, lock: 15, commit: 600, relaxedCommit: 60, answer: 20, hint: 150 } as const
const lockPollUs = 5_000

export function sqlDisk(core: Core, machine: string): SqlDisk {
  const { scheduler, weather } = core
  const files = new Map<string, Shared>()
  const crashDraws = streamOf(core.key, `sql crash of ${machine}`)

  function after(
    connection: Connection,
    baseUs: number,
    kind: string,
    run: () => void,
    digest = 0,
  ): void {
    const delayUs = weather.diskUs(machine, baseUs, connection.draws)
    scheduler.after(connection.owner, delayUs, kind, run, digest)
  }

  function pump(shared: Shared, connection: Connection): void {
    if (connection.busy) return
    const head = connection.queue[0]
    if (head === undefined) {
      for (const closed of connection.closing.splice(0)) closed()
      return
    }
    connection.busy = true
    if (head.batch.mode === 'read') {
      after(connection, times.read, 'sql read', () => {
        readOne(shared, connection, head)
        connection.busy = false
        pump(shared, connection)
      })
    } else after(connection, times.lock, 'sql begin', () => begin(shared, connection))
  }

  function take(connection: Connection, pending: Pending): void {
    connection.queue.splice(connection.queue.indexOf(pending), 1)
    connection.queuedBytes -= pending.sizeBytes
  }

  function readOne(shared: Shared, connection: Connection, pending: Pending): void {
    take(connection, pending)
    const verdict = shared.file.read(pending.batch)
    if (verdict.kind === 'failed') pending.reject(verdict.error)
    else pending.resolve(verdict.outcome)
  }

  function begin(shared: Shared, connection: Connection): void {
    if (shared.writer === undefined) enterWindow(shared, connection)
    else waitForLock(shared, connection, shared.writer)
  }

  function enterWindow(shared: Shared, connection: Connection): void {
    shared.writer = connection
    const groupMax = weather.rough ? 1 + connection.draws.below(8) : 256
    const read = connection.queue.findIndex(({ batch }) => batch.mode === 'read')
    const writes = read < 0 ? connection.queue.length : read
    const group = connection.queue.slice(0, Math.min(groupMax, writes))
    for (const pending of group) take(connection, pending)
    const full = group.some(({ batch }) => batch.durability !== 'relaxed')
    const baseUs = full ? times.commit : times.relaxedCommit
    after(connection, baseUs, 'sql commit', () => commit(shared, connection, group, full))
  }

  function waitForLock(shared: Shared, connection: Connection, holder: Connection): void {
    const nowUs = scheduler.nowUs()
    // Reads do not wait for a writer: those behind us go first.
    for (const pending of connection.queue.filter(({ batch }) => batch.mode === 'read')) {
      readOne(shared, connection, pending)
    }
    for (const pending of [...connection.queue]) {
      if (pending.sinceUs + connection.busyMs * 1_000 > nowUs) continue
      take(connection, pending)
      pending.reject(busyError(shared.path, holder, connection.busyMs))
    }
    if (connection.queue.length === 0) {
      connection.busy = false
      pump(shared, connection)
      return
    }
    const waitUs = 1 + connection.draws.below(lockPollUs)
    scheduler.after(connection.owner, waitUs, 'sql waited', () => begin(shared, connection))
  }

  function commit(
    shared: Shared,
    connection: Connection,
    group: readonly Pending[],
    full: boolean,
  ): void {
    const verdicts = shared.file.write(
      group.map(({ batch }) => batch),
      full,
    )
    shared.writer = undefined
    verdicts.forEach((verdict, index) => {
      const hints = group[index]?.batch.hints ?? []
      if (verdict.kind === 'applied' && hints.length > 0) hint(shared, hints)
    })
    after(connection, times.answer, 'sql answered', () => {
      verdicts.forEach((verdict, index) => {
        if (verdict.kind === 'failed') group[index]?.reject(verdict.error)
        else group[index]?.resolve(verdict.outcome)
      })
      connection.busy = false
      pump(shared, connection)
    })
  }

  function hint(shared: Shared, topics: readonly string[]): void {
    for (const connection of shared.connections) {
      for (const topic of topics) {
        for (const wake of connection.topics.get(topic) ?? []) {
          if (connection.draws.happens(weather.hintLoss)) continue
          const once = (): void => {
            if (connection.topics.get(topic)?.has(wake)) wake()
          }
          after(connection, times.hint, 'hint', once)
          if (weather.rough && connection.draws.happens(1 / 32)) {
            after(connection, times.hint * 10, 'hint', once)
          }
        }
      }
    }
  }

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
      const delayUs = weather.diskUs(machine, times.commit, draws)
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

function busyError(path: string, holder: Connection, busyMs: number): StoreBusyError {
  return new StoreBusyError(
    `${path} stayed locked for ${busyMs} ms: ${holder.owner.name} holds the write lock`,
    { details: { path, holder: holder.owner.name, busyMs } },
  )
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
