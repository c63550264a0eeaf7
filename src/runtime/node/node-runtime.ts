/**
 * The real world, behind the same door as the simulated one.
 */
import { hostname } from 'node:os'
import type { Runtime } from '../runtime.ts'
import { nodeClock } from './clock.ts'
import { nodeDisk } from './disk.ts'
import { nodeNetwork } from './network.ts'
import { nodeRandom } from './random.ts'
import { sqlEngine } from './sql-engine.ts'
import type { SqliteLibraryName } from './sqlite-library.ts'
import { nodeTasks, type TaskFailed } from './tasks.ts'
import { nodeTimers } from './timers.ts'

export interface NodeRuntimeOptions {
  /** This process's name, stable over restarts. Default: the pid, which is not. */
  readonly process?: string
  /** This machine's name. Default: the host name. */
  readonly machine?: string
  /**
   * Told of `taskFailed`, `sqlThreadDied` (see `SqlFile.run` for what its batches were told) and
   * `sqlHintsOff` (this process is not woken by others: polls remain). The part of an `Observer`
   * that is needed.
   */
  readonly observer?: {
    event(name: string, fields?: Readonly<Record<string, unknown>>): void
  }
  /** Instead of the default: the event, and a warning of the process. */
  readonly onTaskFailed?: TaskFailed
  /** Which SQLite to use, the first that loads. Default `node:sqlite`, `better-sqlite3`, `libsql`. */
  readonly sqliteLibraries?: readonly SqliteLibraryName[]
}

export interface NodeRuntime extends Runtime, AsyncDisposable {
  /**
   * Finishes the batches that were sent and closes files; drops timers, listeners and connections.
   * Safe to repeat. Files opened through `disk` are closed by who opened them.
   */
  close(): Promise<void>
}

export function nodeRuntime(options: NodeRuntimeOptions = {}): NodeRuntime {
  const random = nodeRandom()
  const timers = nodeTimers()
  const network = nodeNetwork()
  const sql = sqlEngine({
    ...(options.sqliteLibraries ? { libraries: options.sqliteLibraries } : {}),
    notice: (event, fields) => options.observer?.event(event, fields),
  })
  let closing: Promise<void> | undefined

  function close(): Promise<void> {
    timers.close()
    closing ??= Promise.all([network.close(), sql.close()]).then(() => {})
    return closing
  }

  return {
    identity: {
      machine: options.machine ?? hostname(),
      process: options.process ?? `pid-${process.pid}`,
      incarnation: random.id('incarnation'),
    },
    clock: nodeClock(),
    timers,
    random,
    network,
    disk: nodeDisk(),
    sql,
    tasks: nodeTasks(options.onTaskFailed ?? reportTo(options.observer)),
    probe: { note() {}, chance: () => false },
    close,
    [Symbol.asyncDispose]: close,
  }
}

function reportTo(observer: NodeRuntimeOptions['observer']): TaskFailed {
  return (name, error) => {
    const reason = error instanceof Error ? error.message : String(error)
    observer?.event('taskFailed', { task: name, error: reason })
    process.emitWarning(`the background task "${name}" failed: ${reason}`, 'HoldfastWarning')
  }
}
