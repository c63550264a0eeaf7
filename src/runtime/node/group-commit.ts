/**
 * The queue in front of the file. Whatever waits is taken together: one BEGIN IMMEDIATE, each batch in
 * its own savepoint, one COMMIT, one sync, and then all answers at once. So a hundred callers pay for
 * one sync, and nobody is told "done" before it is durable.
 *
 * Reads keep their place: one that stands between two writes runs between them, inside the
 * transaction, and is answered after the commit like the rest. Only while another process holds the
 * write lock do reads overtake the writes that wait for it.
 */
import {
  CorruptDataError,
  type HoldfastError,
  OutcomeUnknownError,
  UnavailableError,
} from '../../errors.ts'
import type { SqlBatch, SqlOutcome } from '../sql.ts'
import { type BatchRunner, type BatchVerdict, batchRunner } from '../sql-batch.ts'
import { commitFailed, failureKind, provablyAbsent, sqlFailure } from '../sql-failure.ts'
import { type SyncDatabase, sqliteCodes } from '../sqlite.ts'
import { monotonicMs } from './clock.ts'
import { pacing } from './pacing.ts'
import { rollback, storeBusy } from './sqlite-open.ts'

export interface Work {
  readonly batch: SqlBatch
  readonly busyMs: number
  done(outcome: SqlOutcome): void
  failed(error: unknown): void
  /** When the write lock was first refused to it. */
  busySinceMs?: number
  /** It must not share a commit: sharing one failed. */
  alone?: boolean
}

export interface GroupCommitOptions {
  readonly path: string
  database: SyncDatabase
  /** A fresh connection, after one whose state cannot be trusted. */
  reopen(): SyncDatabase
  /** Runs inside the transaction, last before the commit. @returns whom to hint, if `hinting`. */
  beforeCommit(database: SyncDatabase, hinting: boolean): readonly string[]
  /** After the commit. */
  hint(addresses: readonly string[], topics: ReadonlySet<string>): void
  /** Something was committed: the log grew. */
  committed(): void
}

export interface GroupCommit {
  readonly database: SyncDatabase
  readonly idle: boolean
  push(work: Work): void
  /** Resolves when nothing waits. */
  drained(): Promise<void>
}

/** What one transaction takes at most, so that other processes get their turn. */
const groupMax = 512
const groupMs = 20

export function groupCommit(options: GroupCommitOptions): GroupCommit {
  const { path } = options
  let database = options.database
  let runner: BatchRunner = batchRunner(database)
  let queue: Work[] = []
  let wake: NodeJS.Immediate | NodeJS.Timeout | undefined
  const pace = pacing()
  let synchronous = ''
  let damaged: CorruptDataError | undefined
  let broken = false
  const idleWaiters: (() => void)[] = []

  function plan(delayMs: number): void {
    if (wake !== undefined) return
    wake = delayMs === 0 ? setImmediate(turn) : setTimeout(turn, delayMs)
  }

  function turn(): void {
    wake = undefined
    if (broken) revive()
    runReads()
    if (queue.length > 0 && !broken) writeTurn()
    if (queue.length > 0) {
      plan(pace.nextDelayMs())
      return
    }
    pace.rested()
    for (const resolve of idleWaiters.splice(0)) resolve()
  }

  /** Reads at the head of the queue need no lock. */
  function runReads(): void {
    let taken = 0
    for (const work of queue) {
      if (broken || work.batch.mode !== 'read') break
      read(work)
      taken++
    }
    if (taken > 0) queue = queue.slice(taken)
  }

  function read(work: Work): void {
    const many = work.batch.statements.length > 1
    try {
      if (many) database.exec('BEGIN')
      const verdict = runner.run(work.batch)
      if (many) rollback(database)
      if (verdict.kind === 'failed' && verdict.error.code === 'store-busy') {
        broken = true // a statement that met a lock may stay open, and hold one itself
      }
      answer(work, verdict)
    } catch (cause) {
      if (many) rollback(database)
      work.failed(sqlFailure(cause))
    }
  }

  function writeTurn(): void {
    const group = nextGroup(queue)
    if (damaged) {
      drop(group, damaged)
      return
    }
    try {
      begin(group)
    } catch (cause) {
      if (failureKind(cause) === sqliteCodes.busy) {
        waitForLock()
      } else {
        const error = sqlFailure(cause)
        noteDamage(error)
        drop(group, error)
      }
      return
    }
    pace.granted()
    queue = queue.slice(runGroup(group))
  }

  function begin(group: readonly Work[]): void {
    const full = group.some(({ batch }) => batch.mode !== 'read' && batch.durability !== 'relaxed')
    const wanted = full ? 'FULL' : 'NORMAL'
    if (synchronous !== wanted) database.exec(`PRAGMA synchronous = ${wanted}`)
    synchronous = wanted
    database.exec('BEGIN IMMEDIATE')
  }

  /** @returns how many left the queue; those that must be tried alone stay in it. */
  function runGroup(group: readonly Work[]): number {
    const untilMs = monotonicMs() + groupMs
    const verdicts: BatchVerdict[] = []
    for (const work of group) {
      const verdict = runner.run(work.batch)
      verdicts.push(verdict)
      if (verdict.kind === 'failed') {
        noteDamage(verdict.error)
        if (damaged || verdict.transactionLost) return startAgain(group, verdict)
      }
      if (monotonicMs() > untilMs) break
    }
    const ran = group.slice(0, verdicts.length)
    const topics = topicsOf(ran, verdicts)
    let addresses: readonly string[] = []
    try {
      addresses = tellPeers(topics.size > 0)
      database.exec('COMMIT')
    } catch (cause) {
      return commitRefused(ran, cause)
    }
    ran.forEach((work, index) => {
      const verdict = verdicts[index]
      if (verdict) answer(work, verdict)
    })
    if (topics.size > 0) options.hint(addresses, topics)
    options.committed()
    return ran.length
  }

  function tellPeers(hinting: boolean): readonly string[] {
    try {
      return options.beforeCommit(database, hinting)
    } catch {
      return [] // hints are hints; should the transaction itself be lost, COMMIT will say so
    }
  }

  /** The transaction is gone before any COMMIT: nothing happened. The innocent try again, alone. */
  function startAgain(group: readonly Work[], verdict: BatchVerdict): number {
    rollback(database)
    if (group.length > 1 && !damaged) return apart(group)
    const error = verdict.kind === 'failed' ? verdict.error : undefined
    for (const work of group) work.failed(damaged ?? error)
    return group.length
  }

  function commitRefused(group: readonly Work[], cause: unknown): number {
    rollback(database)
    if (provablyAbsent(cause) && group.length > 1) return apart(group)
    const error = commitFailed(cause)
    for (const work of group) work.failed(forWork(work, error))
    if (error instanceof OutcomeUnknownError) broken = true
    return group.length
  }

  function waitForLock(): void {
    pace.refused()
    const nowMs = monotonicMs()
    const waiting: Work[] = []
    for (const work of queue) {
      if (work.batch.mode === 'read' && !broken) read(work)
      else if (mayWait(work, nowMs)) waiting.push(work)
      else work.failed(storeBusy(path, work.busyMs))
    }
    queue = waiting
  }

  function drop(group: readonly Work[], error: Error): void {
    for (const work of group) {
      if (work.batch.mode === 'read' && !broken) read(work)
      else work.failed(error)
    }
    queue = queue.slice(group.length)
  }

  function noteDamage(error: Error): void {
    if (error instanceof CorruptDataError) damaged ??= error
  }

  /** A fresh connection; without one, everything that waits is told so. */
  function revive(): void {
    try {
      database.close()
      database = options.reopen()
      runner = batchRunner(database)
      synchronous = ''
      broken = false
    } catch (cause) {
      for (const work of queue) {
        work.failed(new UnavailableError(`"${path}" cannot be opened again`, { cause }))
      }
      queue = []
    }
  }

  return {
    get database() {
      return database
    },
    get idle() {
      return queue.length === 0
    },
    push(work) {
      queue.push(work)
      plan(0)
    },
    drained() {
      return new Promise((resolve) => (queue.length ? idleWaiters.push(resolve) : resolve()))
    },
  }
}

/** Reads change nothing, so for them nothing is unknown: they only have no answer. */
function forWork({ batch }: Work, error: HoldfastError): HoldfastError {
  const unanswered = batch.mode === 'read' && error.outcome === 'unknown'
  return unanswered ? new UnavailableError(error.message) : error
}

/** @returns how many have left the queue: none. Each is tried again, on its own. */
function apart(group: readonly Work[]): number {
  for (const work of group) work.alone = true
  return 0
}

function mayWait(work: Work, nowMs: number): boolean {
  work.busySinceMs ??= nowMs
  return nowMs - work.busySinceMs < work.busyMs
}

function nextGroup(queue: readonly Work[]): readonly Work[] {
  if (queue[0]?.alone) return queue.slice(0, 1)
  const end = queue.findIndex((work, index) => work.alone || index === groupMax)
  return end === -1 ? queue : queue.slice(0, end)
}

function answer(work: Work, verdict: BatchVerdict): void {
  if (verdict.kind === 'failed') work.failed(verdict.error)
  else work.done(verdict.outcome)
}

function topicsOf(group: readonly Work[], verdicts: readonly BatchVerdict[]): ReadonlySet<string> {
  const topics = new Set<string>()
  group.forEach((work, index) => {
    if (verdicts[index]?.kind !== 'applied' || work.batch.mode === 'read') return
    for (const topic of work.batch.hints ?? []) topics.add(topic)
  })
  return topics
}
