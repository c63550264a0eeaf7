/**
 * A running member: the pure machine told what happens, and what it answers carried out. The order is the
 * contract of Raft with its host: entries go to the disk and, at the same time, to the others; what rests
 * on the disk leaves after it; what is committed is applied once, in order.
 */
import { UnavailableError } from '../../errors.ts'
import type { Observer } from '../../observability/observer.ts'
import type { RaftInput, RaftOutputs } from '../../protocols/raft/contract.ts'
import type { Configuration, MemberId } from '../../protocols/raft/entry.ts'
import { status, step, take } from '../../protocols/raft/raft.ts'
import { snapshotMark } from '../../protocols/raft/snapshots.ts'
import type { RaftState } from '../../protocols/raft/state.ts'
import type { Timer } from '../../runtime/clock.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { type Applier, applier } from './applier.ts'
import type { RaftHost, RaftHostStatus, ReplicatedMachine, StopReason } from './contract.ts'
import type { Self } from './dial.ts'
import { type Errands, errands } from './errands.ts'
import { type Loop, loop } from './loop.ts'
import { memberDoor } from './member-calls.ts'
import type { HostLimits } from './options.ts'
import { PeerError } from './peer-error.ts'
import { type PendingProposals, pendingProposals } from './pending-proposals.ts'
import { type PendingReads, pendingReads } from './pending-reads.ts'
import { type Snapshotting, snapshotting } from './snapshotting.ts'
import type { RaftStorage } from './storage-contract.ts'
import { type Transport, transport } from './transport.ts'
import { type Writer, writer } from './writer.ts'

/** What a member stands on when it begins to run. */
export interface MemberGround {
  readonly runtime: Runtime
  readonly observer: Observer
  readonly machine: ReplicatedMachine
  readonly limits: HostLimits
  readonly storage: RaftStorage
  readonly state: RaftState
  readonly self: Self
  readonly listen: string
  readonly advertise: string | undefined
  requireAddress(address: string): void
  outputs(outputs: RaftOutputs): RaftOutputs
  watch(state: RaftState): void
}

/** The working parts of a member, for those who call on it. */
export interface Works {
  readonly ground: MemberGround
  readonly loop: Loop
  readonly proposals: PendingProposals
  readonly reads: PendingReads
  readonly errands: Errands
  readonly snapshots: Snapshotting
  readonly observers: Set<(status: RaftHostStatus) => void>
  address(): string
  status(): RaftHostStatus
  stop(reason: StopReason): Promise<void>
  readonly stopped: Promise<StopReason>
}

export async function member(ground: MemberGround): Promise<RaftHost> {
  const { runtime, observer, limits, storage, state, self } = ground
  const { electionMs, heartbeatMs } = state.settings
  const observers = new Set<(status: RaftHostStatus) => void>()
  const wake = (): void => turns.wake()
  let roads: Transport | undefined
  let retry: Timer | undefined
  let stopping: Promise<void> | undefined
  let removed = false
  let seen = { role: state.role, term: -1, leader: state.leader, configuration: -1 }

  const proposals = pendingProposals(runtime, {
    ...limits,
    batchMax: 1_024,
    batchBytesMax: 1_048_576,
    wake,
  })
  const reads = pendingReads(runtime, { readsMax: limits.readsMax, wake })
  const asked = errands(runtime)
  const turns = loop({
    runtime,
    state,
    gather: () => [
      ...proposals.take().map((batch): RaftInput => ({ kind: 'propose', ...batch })),
      ...reads.take().map((question): RaftInput => ({ kind: 'read', ...question })),
    ],
    carryOut,
    failed: fault,
  })
  const disk: Writer = writer({
    tasks: runtime.tasks,
    storage,
    send: (message) => roads?.send(message),
    written: (ticket) => turns.push({ kind: 'written', ticket }),
    failed: diskFailed,
  })
  const states: Applier = applier({
    timers: runtime.timers,
    machine: ground.machine,
    index: state.emitted,
    applied: ({ index, term }, answer) => proposals.applied(index, term, answer),
    configured,
    paused(index) {
      reads.applied(index)
      snapshots.consider()
    },
    failed: fault,
  })
  const snapshots = snapshotting(
    {
      ...ground,
      ...{ everyEntries: limits.snapshotEveryEntries, everyBytes: limits.snapshotEveryBytes },
      keepEntries: limits.keepEntries,
      writer: disk,
      applier: states,
      transport: opened,
      silentMs: Math.max(1_000, 4 * electionMs),
      markAt: (index) => snapshotMark(state, index),
      push: turns.push,
      replaced({ index, configuration }) {
        proposals.skipped(index)
        configured(configuration)
        reads.applied(index)
      },
      failed: diskFailed,
    },
    state.log.snapshot.index,
  )

  function opened(): Transport {
    if (roads === undefined) throw new UnavailableError('the member is not up yet')
    return roads
  }

  function carryOut(taken: RaftOutputs): void {
    const outputs = ground.outputs(taken)
    for (const message of outputs.send) roads?.send(message)
    if (outputs.write !== undefined) disk.write(outputs.write)
    for (const { ticket, message } of outputs.sendAfter) disk.after(ticket, message)
    for (const accepted of outputs.accepted) proposals.accepted(accepted)
    for (const { id, reason } of outputs.refused) {
      if (!proposals.refused(id, reason) && !reads.refused(id, reason)) asked.refused(id, reason)
    }
    states.push(outputs.committed)
    for (const { id, index } of outputs.reads) reads.answered(id, index, states.index)
    for (const { id, ok } of outputs.ended) asked.ended(id, ok)
    for (const { to, term } of outputs.sendSnapshot) snapshots.send(to, term)
    if (outputs.install !== undefined) snapshots.install(outputs.install)
    notice()
    ground.watch(state)
    if (removed) void stop({ kind: 'removed' })
  }

  /** Tells the curious what changed, and those who wait for a leader that there is one. */
  function notice(): void {
    const { role, term, leader } = state
    const configuration = state.configurations.at(-1)?.index ?? 0
    const newLeader = leader !== seen.leader || term !== seen.term
    const changed = newLeader || role !== seen.role || configuration !== seen.configuration
    seen = { role, term, leader, configuration }
    if (newLeader && leader !== undefined) askAgain()
    if (proposals.waitsForLeader || reads.waitsForLeader) {
      retry ??= runtime.timers.schedule(heartbeatMs, askAgain)
    }
    if (!changed) return
    observer.event('raftRoleChanged', { id: self.id, role, term, leader })
    for (const tell of [...observers]) tell(currentStatus())
  }

  function askAgain(): void {
    retry?.cancel()
    retry = undefined
    if (state.leader === undefined) return
    proposals.retry()
    reads.retry()
  }

  /** A committed configuration, or the first one. */
  function configured(configuration: Configuration): void {
    roads?.configure(configuration)
    if (configuration.retired.includes(self.id)) removed = true
  }

  function currentStatus(): RaftHostStatus {
    const here = { applied: states.index, snapshotIndex: snapshots.index }
    return { ...status(state), ...here, logBytes: storage.sizeBytes() }
  }

  function fault(error: Error): void {
    observer.event('raftFault', { id: self.id, reason: error.message })
    void stop({ kind: 'fault', error })
  }

  /** A full disk wrote nothing, so leadership can still be given away in good order. */
  function diskFailed(error: Error): void {
    observer.event('raftDiskFailed', { id: self.id, reason: error.message })
    const target = error instanceof UnavailableError ? successor(state) : undefined
    if (target !== undefined && stopping === undefined) {
      step(state, { kind: 'transfer', id: 'disk', target }, runtime.clock.monotonicMs())
      for (const message of take(state).send) roads?.send(message)
    }
    void stop({ kind: 'disk', error })
  }

  let settle: (reason: StopReason) => void = () => {}
  const stopped = new Promise<StopReason>((resolve) => {
    settle = resolve
  })

  function stop(reason: StopReason): Promise<void> {
    stopping ??= shutDown(reason)
    return stopping
  }

  async function shutDown(reason: StopReason): Promise<void> {
    const text = `member "${self.id}" has stopped: ${reason.kind}`
    turns.stop()
    states.stop()
    retry?.cancel()
    snapshots.stop()
    proposals.end(text)
    reads.end(text)
    asked.end(text)
    withdraw()
    await roads?.close()
    await disk.stop()
    await storage.close().catch(() => {})
    observer.event('raftStopped', { id: self.id, reason: reason.kind })
    settle(reason)
  }

  const withdraw = observer.snapshot(`raft/${self.id}`, currentStatus)
  try {
    roads = await transport(runtime, {
      self,
      listen: ground.listen,
      advertise: ground.advertise,
      requireAddress: ground.requireAddress,
      queueBytesMax: limits.queueBytesMax,
      pulseMs: electionMs,
      receive(messages) {
        for (const message of messages) turns.push({ kind: 'message', message })
      },
      unreachable(peer, error) {
        observer.count('raftLinksLost', { peer })
        if (error instanceof PeerError && error.reason === 'retired') void stop({ kind: 'removed' })
        else turns.push({ kind: 'unreachable', member: peer })
      },
      connected: (peer) => observer.count('raftLinksOpened', { peer }),
      snapshot: snapshots.receive,
      turnedAway(remote, { reason, message }) {
        observer.count('raftStrangersRefused', { reason })
        observer.event('raftStrangerRefused', { remote, reason, message })
      },
    })
  } catch (error) {
    withdraw()
    throw error
  }
  configured(storage.restored.snapshot.configuration)
  turns.start()
  if (standsAlone(state)) turns.push({ kind: 'campaign' })
  const works: Works = {
    ground,
    loop: turns,
    proposals,
    reads,
    errands: asked,
    snapshots,
    observers,
    address: () => opened().address,
    status: currentStatus,
    stop,
    stopped,
  }
  return memberDoor(works)
}

function standsAlone({ configurations, settings }: RaftState): boolean {
  const voters = configurations.at(-1)?.configuration.voters ?? []
  return voters.length === 1 && voters[0] === settings.id
}

/** The voter that has most of the leader's log, if this member leads. */
export function successor(state: RaftState): MemberId | undefined {
  const voters = state.configurations.at(-1)?.configuration.voters ?? []
  const followers = [...(state.lead?.followers.values() ?? [])]
    .filter(({ id, active }) => active && voters.includes(id))
    .sort((left, right) => right.match - left.match)
  return followers[0]?.id
}
