/**
 * A running member: the pure machine told what happens, and what it answers carried out. The order is the
 * contract of Raft with its host: entries go to the disk and, at the same time, to the others; what rests
 * on the disk leaves after it; what is committed is applied once, in order.
 */
import { UnavailableError } from '../../errors.ts'
import type { Observer } from '../../observability/observer.ts'
import type { RaftOutputs } from '../../protocols/raft/contract.ts'
import type { Configuration, MemberId } from '../../protocols/raft/entry.ts'
import { status, step, take } from '../../protocols/raft/raft.ts'
import { snapshotMark } from '../../protocols/raft/snapshots.ts'
import type { RaftState } from '../../protocols/raft/state.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { type Applier, applier } from './applier.ts'
import type { RaftHost, RaftHostStatus, ReplicatedMachine, StopReason } from './contract.ts'
import { type Desk, desk } from './desk.ts'
import type { Self } from './dial.ts'
import { type Loop, loop } from './loop.ts'
import { memberDoor } from './member-calls.ts'
import { type Notices, notices } from './notices.ts'
import type { HostLimits } from './options.ts'
import { PeerError } from './peer-error.ts'
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
  readonly desk: Desk
  readonly snapshots: Snapshotting
  readonly notices: Notices
  address(): string
  status(): RaftHostStatus
  stop(reason: StopReason): Promise<void>
  readonly stopped: Promise<StopReason>
}

export async function member(ground: MemberGround): Promise<RaftHost> {
  const { runtime, observer, limits, storage, state, self } = ground
  let roads: Transport | undefined
  let stopping: Promise<void> | undefined
  let removed = false

  const front = desk(runtime, limits, () => turns.wake())
  const turns = loop({ runtime, state, gather: front.gather, carryOut, failed: fault })
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
    applied: ({ index, term }, answer) => front.proposals.applied(index, term, answer),
    configured,
    paused(index) {
      front.reads.applied(index)
      snapshots.consider()
    },
    failed: fault,
  })
  const snapshots = snapshotting({
    ...{ ...ground, writer: disk, applier: states, transport: opened, push: turns.push },
    silentMs: Math.max(1_000, 4 * state.settings.electionMs),
    markAt: (index) => snapshotMark(state, index),
    replaced({ index, configuration }) {
      front.skipped(index)
      configured(configuration)
    },
    failed: diskFailed,
  })
  const told = notices({ ...front, state, observer, runtime, status: currentStatus })

  function opened(): Transport {
    if (roads === undefined) throw new UnavailableError('the member is not up yet')
    return roads
  }

  function carryOut(taken: RaftOutputs): void {
    const outputs = ground.outputs(taken)
    for (const message of outputs.send) roads?.send(message)
    if (outputs.write !== undefined) disk.write(outputs.write)
    for (const { ticket, message } of outputs.sendAfter) disk.after(ticket, message)
    front.placed(outputs)
    states.push(outputs.committed)
    front.answered(outputs, states.index)
    for (const { to, term } of outputs.sendSnapshot) snapshots.send(to, term)
    if (outputs.install !== undefined) snapshots.install(outputs.install)
    told.look()
    ground.watch(state)
    if (removed) void stop({ kind: 'removed' })
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
    told.stop()
    snapshots.stop()
    front.end(text)
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
      ...roadOptions(ground),
      receive(messages) {
        for (const message of messages) turns.push({ kind: 'message', message })
      },
      unreachable(peer, error) {
        observer.count('raftLinksLost', { peer })
        if (error instanceof PeerError && error.reason === 'retired') void stop({ kind: 'removed' })
        else turns.push({ kind: 'unreachable', member: peer })
      },
      snapshot: snapshots.receive,
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
    desk: front,
    snapshots,
    notices: told,
    address: () => opened().address,
    status: currentStatus,
    stop,
    stopped,
  }
  return memberDoor(works)
}

function roadOptions({
  self,
  listen,
  advertise,
  requireAddress,
  limits,
  state,
  observer,
}: MemberGround) {
  return {
    ...{ self, listen, advertise, requireAddress },
    queueBytesMax: limits.queueBytesMax,
    pulseMs: 2 * state.settings.electionMs,
    connected: (peer: MemberId): void => observer.count('raftLinksOpened', { peer }),
    turnedAway(remote: string, { reason, message }: PeerError): void {
      observer.count('raftStrangersRefused', { reason })
      observer.event('raftStrangerRefused', { remote, reason, message })
    },
  }
}

function standsAlone({ configurations, settings }: RaftState): boolean {
  const voters = configurations.at(-1)?.configuration.voters ?? []
  return voters.length === 1 && voters[0] === settings.id
}

/** The voter that was heard from and has most of the leader's log, if this member leads. */
export function successor(state: RaftState): MemberId | undefined {
  const voters = state.configurations.at(-1)?.configuration.voters ?? []
  const followers = [...(state.lead?.followers.values() ?? [])]
    .filter(({ id }) => voters.includes(id))
    // A leader that has just begun has heard from nobody yet.
    .sort((left, right) => Number(right.active) - Number(left.active) || right.match - left.match)
  return followers[0]?.id
}
