/**
 * The file's own thread: it opens the file, feeds the queue, keeps the log short, and listens for
 * hints. It answers in bundles, one message per tick.
 */
import { UnavailableError } from '../../errors.ts'
import type { SqlOutcome, SqlStatement } from '../sql.ts'
import type { SyncDatabase } from '../sqlite.ts'
import { type GroupCommit, groupCommit } from './group-commit.ts'
import { hintPeers } from './hint-peers.ts'
import { hintSockets, removeStaleAddress } from './hint-sockets.ts'
import { loadSqlite } from './sqlite-library.ts'
import { encodeError, type Reply, type Request, type WorkerSettings } from './sqlite-messages.ts'
import { settings as connectionSettings, migrate, openDatabase } from './sqlite-open.ts'
import { gated } from './thread-gate.ts'
import { walKeeper } from './wal-keeper.ts'

export interface FileService {
  receive(requests: readonly Request[]): void
}

/** Entering the table of peers may wait long, because nobody waits for it … */
const enterBusyMs = 60_000
/** … but leaving is part of `close`, and a row that stays is swept by the next one who sends. */
const leaveBusyMs = 100

export function fileService(
  { path, libraries, bootId, gate }: WorkerSettings,
  send: (replies: readonly Reply[]) => void,
  exit: () => void,
): FileService {
  let outbox: Reply[] = []
  let opening: Promise<GroupCommit> | undefined
  let queue: GroupCommit | undefined
  let topics: ReadonlySet<string> = new Set()
  const peers = hintPeers(bootId, process.pid)
  const wal = walKeeper(path, () => required(queue, path).database)

  function reply(message: Reply): void {
    if (outbox.push(message) > 1) return
    queueMicrotask(() => {
      const replies = outbox
      outbox = []
      send(replies)
    })
  }

  function failed(id: number, error: unknown): void {
    reply({ kind: 'failed', id, error: encodeError(error) })
  }

  const sockets = hintSockets({
    received(heard) {
      const wanted = heard.filter((topic) => topics.has(topic))
      if (wanted.length > 0) reply({ kind: 'hinted', topics: wanted })
    },
    stale(address) {
      removeStaleAddress(address)
      internal(peers.removal(address), enterBusyMs)
    },
  })

  /** A write of this layer's own, whose failure costs only hints. */
  function internal(
    statements: readonly SqlStatement[],
    busyMs: number,
    done: () => void = () => {},
  ): void {
    const batch = { statements, durability: 'relaxed' } as const
    queue?.push({ batch, busyMs, done, failed: () => {} })
  }

  async function listen(wanted: readonly string[]): Promise<void> {
    topics = new Set(wanted)
    if (topics.size === 0 || sockets.address !== undefined) return
    try {
      await opening
      const address = await sockets.listen()
      // What was committed before the others could know of us was missed: wake everyone once.
      internal(peers.registration(address), enterBusyMs, () => {
        reply({ kind: 'hinted', topics: [...topics] })
      })
    } catch (error) {
      // No socket, no hints: the slow poll behind them remains, and somebody should know.
      reply({ kind: 'noted', event: 'sqlHintsOff', reason: String(error) })
    }
  }

  async function start(busyMs: number): Promise<GroupCommit> {
    const { open } = loadSqlite(libraries)
    const library = { open: (name: string) => gated(open(name), gate) }
    const database = await openDatabase(library, path, busyMs)
    queue = groupCommit({
      path,
      database,
      reopen(): SyncDatabase {
        const fresh = library.open(path)
        fresh.exec(connectionSettings)
        return fresh
      },
      beforeCommit: (current, hinting) => peers.addresses(current, sockets.address, hinting),
      hint: (addresses, changed) => sockets.send(addresses, changed),
      committed: wal.grew,
    })
    return queue
  }

  async function open(request: Request & { readonly kind: 'open' }): Promise<void> {
    try {
      opening ??= start(request.busyMs).catch((error: unknown) => {
        opening = undefined // so that the next one may try again
        throw error
      })
      const { database } = await opening
      await migrate(database, path, request.migrations, request.busyMs)
      reply({ kind: 'done', id: request.id })
    } catch (error) {
      failed(request.id, error)
    }
  }

  async function close(id: number): Promise<void> {
    await opening?.catch(() => {})
    if (sockets.address !== undefined) internal(peers.removal(sockets.address), leaveBusyMs)
    await queue?.drained()
    sockets.close()
    wal.stop()
    if (queue) wal.cutBack()
    queue?.database.close()
    reply({ kind: 'done', id })
    setImmediate(exit)
  }

  function run({ id, batch, busyMs }: Request & { readonly kind: 'run' }): void {
    const work = {
      batch,
      busyMs,
      done: (outcome: SqlOutcome) => reply({ kind: 'done', id, outcome }),
      failed: (error: unknown) => failed(id, error),
    }
    if (queue) {
      queue.push(work)
    } else if (opening) {
      opening.then((opened) => opened.push(work), work.failed)
    } else {
      work.failed(new UnavailableError(`"${path}" is not open`))
    }
  }

  return {
    receive(requests) {
      for (const request of requests) {
        if (request.kind === 'run') run(request)
        else if (request.kind === 'open') void open(request)
        else if (request.kind === 'listen') void listen(request.topics)
        else void close(request.id)
      }
    },
  }
}

function required(queue: GroupCommit | undefined, path: string): GroupCommit {
  if (queue) return queue
  throw new UnavailableError(`"${path}" is not open`)
}
