/**
 * The way of a batch: it waits behind those sent before it, then for the file's write lock, then runs in
 * one event at the end of its commit window, and its answer takes a while. Several writes share a commit;
 * reads wait for nobody's lock.
 */
import {
  type HoldfastError,
  OutcomeUnknownError,
  StoreBusyError,
  UnavailableError,
} from '../errors.ts'
import type { SqlBatch, SqlOutcome } from '../runtime/sql.ts'
import type { BatchVerdict } from '../runtime/sql-batch.ts'
import type { Draws } from './chance.ts'
import type { Core } from './core.ts'
import type { Incarnation } from './incarnation.ts'
import type { DatabaseFile } from './sql-file.ts'

/** One process's hold on one file. */
export interface Connection {
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

export interface Pending {
  readonly batch: SqlBatch
  readonly sizeBytes: number
  readonly sinceUs: number
  readonly resolve: (outcome: SqlOutcome) => void
  readonly reject: (error: Error) => void
}

/** The file as the processes of a machine share it. */
export interface Shared {
  readonly file: DatabaseFile
  readonly path: string
  readonly connections: Set<Connection>
  /** Who is in its commit window. */
  writer: Connection | undefined
}

export interface SqlQueue {
  /** Goes on with what waits, unless it is under way already. */
  pump(shared: Shared, connection: Connection): void
}

/** Median times, in microseconds. */
export const sqlTimes = {
  read: 40,
  lock: 15,
  commit: 600,
  relaxedCommit: 60,
  answer: 20,
  hint: 150,
} as const
/** Whoever waits for the lock asks again after at most so long. */
export const lockPollUs: number = 5_000

export function sqlQueue(core: Core, machine: string): SqlQueue {
  const { scheduler, weather } = core

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
      after(connection, sqlTimes.read, 'sql read', () => {
        readOne(shared, connection, head)
        connection.busy = false
        pump(shared, connection)
      })
    } else after(connection, sqlTimes.lock, 'sql begin', () => begin(shared, connection))
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
    const baseUs = full ? sqlTimes.commit : sqlTimes.relaxedCommit
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
    const batches = group.map(({ batch }) => batch)
    const trouble = weather.diskOf(machine)
    const { draws } = connection
    const hits = (share: number): boolean => share > 0 && draws.happens(share)
    const verdicts = hits(trouble.fullShare)
      ? batches.map(() => failedWith(new UnavailableError(`${shared.path}: no space left`)))
      : full && hits(trouble.syncFailureShare)
        ? commitInDoubt(shared, batches)
        : shared.file.write(batches, full)
    shared.writer = undefined
    if (verdicts.some(({ kind }) => kind === 'applied')) {
      core.progress.committed()
      core.recorder?.mark('commit', connection.owner.name, shared.path)
    }
    verdicts.forEach((verdict, index) => {
      const hints = group[index]?.batch.hints ?? []
      if (verdict.kind === 'applied' && hints.length > 0) hint(shared, hints)
    })
    after(connection, sqlTimes.answer, 'sql answered', () => {
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
          after(connection, sqlTimes.hint, 'hint', once)
          if (weather.rough && connection.draws.happens(1 / 32)) {
            after(connection, sqlTimes.hint * 10, 'hint', once)
          }
        }
      }
    }
  }

  return { pump }
}

/** The sync of the commit failed: it is gone, but a power cut may bring it back. */
function commitInDoubt(
  { file, path }: Shared,
  batches: readonly SqlBatch[],
): readonly BatchVerdict[] {
  return file
    .writeInDoubt(batches)
    .map((verdict) =>
      verdict.kind === 'applied'
        ? failedWith(new OutcomeUnknownError(`${path}: the sync of the commit failed`))
        : verdict,
    )
}

function failedWith(error: HoldfastError): BatchVerdict {
  return { kind: 'failed', error, transactionLost: false }
}

export function busyError(path: string, holder: Connection, busyMs: number): StoreBusyError {
  return new StoreBusyError(
    `${path} stayed locked for ${busyMs} ms: ${holder.owner.name} holds the write lock`,
    { details: { path, holder: holder.owner.name, busyMs } },
  )
}
