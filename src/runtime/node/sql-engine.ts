/**
 * SqlEngine on Node. A file has one owner in the whole process, however many runtimes and handles use
 * it: two owners would wait for each other's lock. The last handle that closes ends the thread.
 */
import { realpathSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { ClosedError, InvalidArgumentError } from '../../errors.ts'
import type { SqlEngine, SqlFile, SqlOpenOptions } from '../sql.ts'
import { bootId } from './clock.ts'
import { type FileOwner, fileOwner, type Notice } from './file-owner.ts'
import { type SqliteLibraryName, sqliteLibraries } from './sqlite-library.ts'
import { type StartThread, sqliteThread } from './sqlite-thread.ts'

export interface SqlEngineOptions {
  readonly libraries?: readonly SqliteLibraryName[]
  readonly startThread?: StartThread
  readonly notice?: Notice
}

export interface NodeSqlEngine extends SqlEngine {
  /** Closes every file opened through this engine. */
  close(): Promise<void>
}

interface Shared {
  readonly owner: FileOwner
  handles: number
  /** Set when the last handle is gone: a new one must wait for the end. */
  closing?: Promise<void>
}

const owners = new Map<string, Shared>()

const busyMsDefault = 5_000
const busyMsMax = 600_000
const migrationsMax = 10_000

export function sqlEngine(options: SqlEngineOptions = {}): NodeSqlEngine {
  const files = new Set<SqlFile>()
  let closed = false

  return {
    async open(request) {
      if (closed) throw new ClosedError('the runtime is closed')
      requireOptions(request)
      const { migrations, busyMs = busyMsDefault } = request
      const path = canonical(request.path)
      const shared = await lease(path, options)
      try {
        await shared.owner.open(migrations, busyMs)
      } catch (error) {
        await giveBack(path, shared)
        throw error
      }
      const file = sqlFile(shared.owner, busyMs, path, () => {
        files.delete(file)
        return giveBack(path, shared)
      })
      files.add(file)
      return file
    },
    async close() {
      closed = true
      await Promise.all([...files].map((file) => file.close()))
    },
  }
}

async function lease(path: string, options: SqlEngineOptions): Promise<Shared> {
  for (;;) {
    const found = owners.get(path)
    if (found?.closing) {
      await found.closing
      continue
    }
    if (found) {
      found.handles++
      return found
    }
    const { libraries = sqliteLibraries, startThread = sqliteThread, notice } = options
    const owner = fileOwner({ path, libraries, bootId: bootId() }, startThread, notice)
    const made: Shared = { owner, handles: 1 }
    owners.set(path, made)
    return made
  }
}

async function giveBack(path: string, shared: Shared): Promise<void> {
  shared.handles--
  if (shared.handles > 0) return
  shared.closing = shared.owner.close().finally(() => owners.delete(path))
  await shared.closing
}

function sqlFile(
  owner: FileOwner,
  busyMs: number,
  path: string,
  release: () => Promise<void>,
): SqlFile {
  const running = new Set<Promise<unknown>>()
  const listening = new Set<() => void>()
  let closing: Promise<void> | undefined

  function requireOpen(): void {
    if (closing) throw new ClosedError(`"${path}" is closed`)
  }

  async function finish(): Promise<void> {
    for (const stop of listening) stop()
    await Promise.allSettled(running)
    await release()
  }

  return {
    async run(batch) {
      requireOpen()
      const work = owner.run(batch, busyMs)
      running.add(work)
      try {
        return await work
      } finally {
        running.delete(work)
      }
    },
    listen(topic, wake) {
      requireOpen()
      const stop = owner.listen(topic, wake)
      const once = (): void => {
        listening.delete(once)
        stop()
      }
      listening.add(once)
      return once
    },
    close() {
      closing ??= finish()
      return closing
    },
  }
}

/** One name for one file, so that two spellings of a path find the same owner. */
function canonical(path: string): string {
  const absolute = resolve(path)
  try {
    return realpathSync(absolute)
  } catch {
    try {
      return join(realpathSync(dirname(absolute)), basename(absolute))
    } catch {
      return absolute // the folder is missing, and the owner will say so
    }
  }
}

function requireOptions({ path, migrations, busyMs = busyMsDefault }: SqlOpenOptions): void {
  if (typeof path !== 'string' || path === '' || path === ':memory:' || path.includes('\0')) {
    throw new InvalidArgumentError(`path is ${JSON.stringify(path)}; expected the name of a file`)
  }
  if (!Array.isArray(migrations) || migrations.length > migrationsMax) {
    throw new InvalidArgumentError(`migrations: expected a list of at most ${migrationsMax}`)
  }
  if (!(Number.isSafeInteger(busyMs) && busyMs >= 0 && busyMs <= busyMsMax)) {
    throw new InvalidArgumentError(`busyMs is ${busyMs}; expected 0 to ${busyMsMax}`)
  }
}
