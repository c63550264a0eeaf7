/**
 * The caller's end of the file's thread: numbers requests, bounds what waits, and says the truth when
 * the thread dies. A write that was sent may then have been committed, so its outcome is unknown; what
 * is asked later starts a new thread.
 *
 * The thread does not keep the process alive; a batch that waits for its answer does.
 */
import type { Worker } from 'node:worker_threads'
import {
  type HoldfastError,
  InvalidArgumentError,
  LimitExceededError,
  OutcomeUnknownError,
  UnavailableError,
} from '../../errors.ts'
import type { SqlBatch, SqlOutcome } from '../sql.ts'
import { requireBatch } from '../sql-limits.ts'
import {
  decodeError,
  type Reply,
  type Request,
  type WireError,
  type WorkerSettings,
} from './sqlite-messages.ts'
import { endThread, type StartThread } from './sqlite-thread.ts'
import { topicListeners } from './topic-listeners.ts'

export interface FileOwner {
  open(migrations: readonly string[], busyMs: number): Promise<void>
  run(batch: SqlBatch, busyMs: number): Promise<SqlOutcome>
  listen(topic: string, wake: () => void): () => void
  close(): Promise<void>
}

/** Of one file in one process. */
export const waitingBatchesMax: number = 10_000
export const waitingBytesMax: number = 67_108_864

/** Nobody waits for the answer to a greeting. */
const greetingId = 0

interface Pending {
  readonly kind: Request['kind']
  readonly batch?: SqlBatch
  readonly sizeBytes: number
  resolve(outcome: SqlOutcome | undefined): void
  reject(error: HoldfastError): void
}

/** Told what nobody asked: the thread died, hints are off. */
export type Notice = (event: string, fields: Readonly<Record<string, unknown>>) => void

export function fileOwner(
  settings: Omit<WorkerSettings, 'gate'>,
  start: StartThread,
  notice: Notice = () => {},
): FileOwner {
  const pending = new Map<number, Pending>()
  const listeners = topicListeners(tellTopics)
  let thread: Worker | undefined
  let outbox: Request[] = []
  let nextId = 1
  let waitingBytes = 0
  /** How the file was opened, to open it again in a new thread. */
  let reopening: { readonly migrations: readonly string[]; readonly busyMs: number } | undefined
  let closing: Promise<void> | undefined

  function send(request: Request): void {
    if (outbox.push(request) > 1) return
    queueMicrotask(() => {
      const requests = outbox
      outbox = []
      post(requests)
    })
  }

  function post(requests: readonly Request[]): void {
    const worker = running()
    try {
      worker.postMessage(requests)
    } catch (cause) {
      // Something in one of them cannot be copied (a function, say): the others must not suffer.
      if (requests.length > 1) {
        for (const request of requests) post([request])
        return
      }
      const [request] = requests
      if (!request || !('id' in request)) return
      const error = new InvalidArgumentError(`the batch cannot be copied: ${String(cause)}`)
      settle(request.id)?.reject(error)
    }
  }

  function running(): Worker {
    if (thread) return thread
    const started = start(settings)
    thread = started
    started.on('message', (replies: readonly Reply[]) => replies.forEach(receive))
    // An error that nobody caught ends the thread; `exit` follows and settles what was asked.
    let why = 'it ended'
    started.on('error', (error) => {
      why = error.message
    })
    started.on('exit', () => died(started, why))
    if (pending.size === 0) started.unref()
    if (reopening) started.postMessage(greeting(reopening))
    return started
  }

  /** For a second thread: what the first one knew. Its answer has no one waiting. */
  function greeting(how: NonNullable<typeof reopening>): readonly Request[] {
    const { topics } = listeners
    const open: Request = { kind: 'open', id: greetingId, ...how }
    return topics.length > 0 ? [open, { kind: 'listen', topics }] : [open]
  }

  function died(worker: Worker, why: string): void {
    if (thread !== worker) return
    thread = undefined
    const message = `the thread that owns "${settings.path}" died: ${why}`
    notice('sqlThreadDied', { path: settings.path, reason: why })
    rejectSent(({ kind, batch }) =>
      kind === 'run' && batch?.mode !== 'read'
        ? new OutcomeUnknownError(message)
        : new UnavailableError(message),
    )
  }

  function rejectSent(why: (asked: Pending) => HoldfastError): void {
    const unsent = new Set(outbox.map((request) => ('id' in request ? request.id : greetingId)))
    for (const [id, asked] of pending) {
      if (!unsent.has(id)) settle(id)?.reject(why(asked))
    }
  }

  /** A new thread could not open the file, so nothing was done by it: the next one tries again. */
  function abandon(error: WireError): void {
    const useless = thread
    thread = undefined
    rejectSent(() => decodeError(error))
    if (useless) endThread(useless)
  }

  function settle(id: number): Pending | undefined {
    const found = pending.get(id)
    if (!found) return undefined
    pending.delete(id)
    waitingBytes -= found.sizeBytes
    if (pending.size === 0) thread?.unref()
    return found
  }

  function receive(reply: Reply): void {
    if (reply.kind === 'hinted') {
      listeners.wake(reply.topics)
      return
    }
    if (reply.kind === 'noted') {
      notice(reply.event, { path: settings.path, reason: reply.reason })
      return
    }
    const asked = settle(reply.id)
    if (reply.kind === 'failed') {
      asked?.reject(decodeError(reply.error))
      if (reply.id === greetingId) abandon(reply.error)
      return
    }
    asked?.resolve(reply.outcome)
    const hints = reply.outcome?.refusedAt === undefined ? asked?.batch?.hints : undefined
    if (hints && asked?.batch?.mode !== 'read') listeners.wake(hints)
  }

  function ask(
    make: (id: number) => Request,
    sizeBytes = 0,
    batch?: SqlBatch,
  ): Promise<SqlOutcome | undefined> {
    return new Promise((resolve, reject) => {
      const id = nextId++
      const request = make(id)
      const entry = { kind: request.kind, sizeBytes, resolve, reject }
      pending.set(id, batch ? { ...entry, batch } : entry)
      waitingBytes += sizeBytes
      if (pending.size === 1) thread?.ref()
      send(request)
    })
  }

  function tellTopics(): void {
    if (!closing) send({ kind: 'listen', topics: listeners.topics })
  }

  async function close(): Promise<void> {
    if (!thread && outbox.length === 0) return
    const worker = running()
    const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
    await ask((id) => ({ kind: 'close', id })).catch(() => {})
    thread = undefined
    worker.ref() // its end is waited for now
    await exited
  }

  return {
    async open(migrations, busyMs) {
      await ask((id) => ({ kind: 'open', id, migrations, busyMs }))
      reopening ??= { migrations, busyMs }
    },
    async run(batch, busyMs) {
      const sizeBytes = requireBatch(batch)
      if (pending.size >= waitingBatchesMax || waitingBytes + sizeBytes > waitingBytesMax) {
        throw new LimitExceededError(
          `${pending.size} batches of ${waitingBytes} bytes wait for "${settings.path}"; ` +
            `at most ${waitingBatchesMax} of ${waitingBytesMax} bytes may`,
          { details: { batches: pending.size, bytes: waitingBytes } },
        )
      }
      const outcome = await ask((id) => ({ kind: 'run', id, batch, busyMs }), sizeBytes, batch)
      return outcome ?? { results: [] }
    },
    listen: listeners.listen,
    close() {
      closing ??= close()
      return closing
    },
  }
}
