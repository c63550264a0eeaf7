/**
 * Pictures of the state: taken when the log has grown enough, sent to members whose entries are gone, and
 * put in place of the own state when one came from the leader. In each case the picture is durable before
 * anything is forgotten because of it.
 */
import { UnavailableError } from '../../errors.ts'
import type { Observer } from '../../observability/observer.ts'
import type { RaftInput } from '../../protocols/raft/contract.ts'
import type { MemberId, SnapshotMark } from '../../protocols/raft/entry.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import type { Applier } from './applier.ts'
import type { Channel } from './channel.ts'
import type { ReplicatedMachine } from './contract.ts'
import type { HostLimits } from './options.ts'
import { type Received, receiveSnapshot, sendSnapshot } from './snapshot-talk.ts'
import type { RaftStorage } from './storage-contract.ts'
import type { Transport } from './transport.ts'
import type { Writer } from './writer.ts'

export interface SnapshottingOptions {
  readonly runtime: Runtime
  readonly observer: Observer
  readonly machine: ReplicatedMachine
  readonly storage: RaftStorage
  readonly writer: Writer
  readonly applier: Applier
  readonly transport: () => Transport
  readonly limits: HostLimits
  readonly silentMs: number
  /** Of what is applied: its term and the configuration in force. */
  markAt(index: number): SnapshotMark | undefined
  push(input: RaftInput): void
  /** The state is that of a snapshot now, and the log begins behind it. */
  replaced(mark: SnapshotMark): void
  failed(error: Error): void
}

export interface Snapshotting {
  /** Of this member's newest snapshot. */
  readonly index: number
  /** Takes one if it is time. */
  consider(): void
  /** @returns its index. @throws {UnavailableError} the disk is full: nothing was lost. */
  save(): Promise<number>
  send(to: MemberId, term: number): void
  receive(from: MemberId, open: Channel): void
  install(mark: SnapshotMark): void
  stop(): void
}

export function snapshotting(options: SnapshottingOptions): Snapshotting {
  const { runtime, observer, machine, storage, applier, push } = options
  const { keepEntries, snapshotEveryBytes, snapshotEveryEntries } = options.limits
  const ending = new AbortController()
  const talks = new Set<Channel>()
  const incoming = new WeakSet<Channel>()
  let index = storage.restored.snapshot.index
  let saving: Promise<number> | undefined
  /** The last one that came, until it is adopted or abandoned. */
  let received: Received | undefined
  let receiving: Promise<void> | undefined
  let installing = false
  let retryAtIndex = 0

  async function saveNow(): Promise<number> {
    const mark = options.markAt(applier.index)
    if (mark === undefined || mark.index <= index) return index
    applier.counted()
    await storage.saveSnapshot(mark, machine.snapshot())
    index = mark.index
    const keepFrom = Math.max(1, Math.min(mark.index + 1, mark.index + 1 - keepEntries))
    push({ kind: 'compact', mark, keepFrom })
    options.writer.job(() => storage.compact(mark, keepFrom))
    observer.event('raftSnapshotSaved', { index: mark.index })
    return index
  }

  /** The picture is of this very moment; only its way to the disk takes time. */
  function save(): Promise<number> {
    if (installing) return Promise.reject(new UnavailableError('a snapshot is being put in place'))
    saving ??= saveNow().finally(() => {
      saving = undefined
    })
    return saving
  }

  function consider(): void {
    const due = applier.index - index >= snapshotEveryEntries || applier.bytes >= snapshotEveryBytes
    if (!due || saving !== undefined || installing || applier.index < retryAtIndex) return
    runtime.tasks.spawn('raft-snapshot', async () => {
      try {
        await save()
      } catch (error) {
        // A full disk keeps the log it has; anything else leaves the disk unknown.
        if (!(error instanceof UnavailableError)) return options.failed(toError(error))
        retryAtIndex = applier.index + Math.max(1, Math.floor(snapshotEveryEntries / 4))
        observer.event('raftSnapshotNotSaved', { reason: error.message })
      }
    })
  }

  function send(to: MemberId, term: number): void {
    runtime.tasks.spawn('raft-snapshot-send', async () => {
      let open: Channel | undefined
      let sentIndex = 0
      try {
        const snapshot = await storage.readSnapshot()
        if (snapshot === undefined) throw new UnavailableError('there is no snapshot to send')
        sentIndex = snapshot.mark.index
        try {
          open = await options.transport().openSnapshot(to, ending.signal)
          talks.add(open)
          await sendSnapshot(runtime.timers, open, snapshot, term, options.silentMs)
        } finally {
          await snapshot.close()
        }
        observer.event('raftSnapshotSent', { to, index: sentIndex })
        push({ kind: 'snapshot-sent', to, index: sentIndex, arrived: true })
      } catch (error) {
        open?.close(toError(error))
        observer.event('raftSnapshotNotSent', { to, reason: toError(error).message })
        push({ kind: 'snapshot-sent', to, index: sentIndex, arrived: false })
      } finally {
        if (open !== undefined) talks.delete(open)
      }
    })
  }

  /** One at a time: the newest comes from whoever leads now. */
  function receive(from: MemberId, open: Channel): void {
    for (const other of talks) if (incoming.has(other)) other.close(superseded())
    talks.add(open)
    incoming.add(open)
    const before = receiving ?? Promise.resolve()
    receiving = before.then(() => receiveOne(from, open))
    const mine = receiving
    runtime.tasks.spawn('raft-snapshot-receive', () => mine)
  }

  async function receiveOne(from: MemberId, open: Channel): Promise<void> {
    try {
      if (open.over || ending.signal.aborted) return
      const isWanted = (mark: SnapshotMark): boolean => {
        const known = Math.max(applier.index, index, received?.offer.mark.index ?? 0)
        return !installing && mark.index > known
      }
      const came = await receiveSnapshot(runtime.timers, open, storage, isWanted, options.silentMs)
      if (came === undefined || ending.signal.aborted) return
      await received?.receiver.abandon()
      received = came
      const { term, mark } = came.offer
      push({ kind: 'snapshot-received', from, term, mark })
    } catch (error) {
      open.close(toError(error))
      observer.event('raftSnapshotNotReceived', { from, reason: toError(error).message })
    } finally {
      talks.delete(open)
    }
  }

  async function putInPlace(mark: SnapshotMark): Promise<void> {
    const came = received
    received = undefined
    // An older picture of the own state must not be renamed over the newer one.
    await saving?.catch(() => {})
    if (came?.offer.mark.index !== mark.index) throw new Error(`no snapshot at ${mark.index} came`)
    await came.receiver.adopt()
    await storage.resetLog(mark)
    const stored = await storage.readSnapshot()
    if (stored?.mark.index !== mark.index) throw new Error(`no snapshot at ${mark.index} is stored`)
    machine.restore(await stored.pieces())
    await stored.close()
    index = mark.index
    applier.reset(mark.index)
    options.replaced(mark)
    installing = false
    observer.event('raftSnapshotInstalled', { index: mark.index })
    push({ kind: 'installed', index: mark.index })
  }

  return {
    get index() {
      return index
    },
    consider,
    save,
    send,
    receive,
    install(mark) {
      installing = true
      options.writer.job(() => putInPlace(mark))
    },
    stop() {
      ending.abort()
      for (const open of talks) open.close(superseded())
    },
  }
}

function superseded(): Error {
  return new UnavailableError('the talk was given up')
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
