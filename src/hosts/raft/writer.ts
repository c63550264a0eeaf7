/**
 * The member's way to its disk: one thing after the other, in the order decided. While one sync runs the
 * next writes gather, and go together under the next sync. Messages that rest on a write wait here for it.
 */
import type { RaftWrite } from '../../protocols/raft/contract.ts'
import type { Message } from '../../protocols/raft/message.ts'
import type { Tasks } from '../../runtime/tasks.ts'
import type { RaftStorage } from './storage-contract.ts'

export interface Writer {
  write(write: RaftWrite): void
  /** Sends the message once the write with this ticket, and all before it, are durable. */
  after(ticket: number, message: Message): void
  /** Does this between the writes before it and those after it. */
  job(work: () => Promise<void>): void
  /** Nothing more is begun. Resolves when what was begun is over. */
  stop(): Promise<void>
}

export interface WriterOptions {
  readonly tasks: Tasks
  readonly storage: RaftStorage
  send(message: Message): void
  written(ticket: number): void
  /** The disk is not to be trusted any more. Called once. */
  failed(error: Error): void
}

type Work = RaftWrite | (() => Promise<void>)

/** Writes in one group: enough for any disk, and few enough to keep what waits bounded in time. */
const groupMax = 1_024

export function writer(options: WriterOptions): Writer {
  const { storage, tasks } = options
  let queue: Work[] = []
  let waiting: { readonly ticket: number; readonly message: Message }[] = []
  let durable = 0
  let running: Promise<void> | undefined
  let stopped = false

  function start(): void {
    if (running !== undefined || stopped) return
    tasks.spawn('raft-disk', () => {
      running = run().finally(() => {
        running = undefined
      })
      return running
    })
  }

  async function run(): Promise<void> {
    while (queue.length > 0 && !stopped) {
      try {
        await next()
      } catch (error) {
        if (stopped) return
        stopped = true
        options.failed(error instanceof Error ? error : new Error(String(error)))
      }
    }
  }

  async function next(): Promise<void> {
    const group: RaftWrite[] = []
    for (const work of queue) {
      if (typeof work === 'function' || group.length >= groupMax) break
      group.push(work)
    }
    const last = group.at(-1)
    if (last === undefined) {
      const job = queue.shift()
      if (typeof job === 'function') await job()
      return
    }
    queue.splice(0, group.length)
    await storage.write(group)
    if (stopped) return
    durable = last.ticket
    const due = waiting.filter(({ ticket }) => ticket <= durable)
    waiting = waiting.filter(({ ticket }) => ticket > durable)
    for (const { message } of due) options.send(message)
    options.written(durable)
  }

  return {
    write(write) {
      queue.push(write)
      start()
    },
    after(ticket, message) {
      if (ticket <= durable) options.send(message)
      else waiting.push({ ticket, message })
    },
    job(work) {
      queue.push(work)
      start()
    },
    async stop() {
      stopped = true
      queue = []
      waiting = []
      await running
    },
  }
}
