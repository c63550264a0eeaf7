/**
 * A small world for the pure machine: members with disks that lose what was not yet written, and messages
 * that lie about until somebody delivers them, late, twice, in any order or never. Nothing here waits; the
 * test says what happens next. One event touches one member, and the judges look at that one.
 */
import type { RaftInput, RaftOutputs, RaftWrite, RestoredState } from './contract.ts'
import type { Configuration, Entry, MemberId, SnapshotMark } from './entry.ts'
import { type RaftInvariants, raftInvariants } from './invariants.ts'
import type { Message } from './message.ts'
import { deadlineMs, type RaftState, raft, snapshotMark, step, take } from './raft.ts'

/** The machine on trial; a planted bug is another one. */
export interface Core {
  start(options: Parameters<typeof raft>[0], restored: RestoredState, nowMs: number): RaftState
  step(state: RaftState, input: RaftInput, nowMs: number): void
  take(state: RaftState, nowMs: number): RaftOutputs
  /** What a crash in the middle of this work leaves on the disk. Absent: nothing of it. */
  interrupted?(disk: Disk, work: DiskWork): void
}

export const soundCore: Core = { start: raft, step, take }

export interface Picture {
  readonly mark: SnapshotMark
  readonly digest: number
}

export type DiskWork =
  | { readonly kind: 'write'; readonly write: RaftWrite }
  | { readonly kind: 'install'; readonly picture: Picture }

export interface Disk {
  term: number
  vote: MemberId | undefined
  commit: number
  picture: Picture
  /** From `picture.mark.index + 1` on. */
  entries: Entry[]
}

export interface Member {
  readonly id: MemberId
  readonly disk: Disk
  /** In order; gone when the member crashes. */
  readonly work: DiskWork[]
  held: { readonly ticket: number; readonly message: Message }[]
  state: RaftState | undefined
  applied: number
  /** Committed entries it ever handed out to be applied: these are durable, crash or not. */
  handedOut: number
  /** Of all that was applied, in order. */
  digest: number
  /** Received, whole, and not yet its own. */
  received: Picture | undefined
  /** This member's clock, ahead of the world's by so much per millisecond. */
  drift: number
  starts: number
}

export type Parcel =
  | { readonly kind: 'message'; readonly message: Message }
  | {
      readonly kind: 'picture'
      readonly from: MemberId
      readonly to: MemberId
      readonly term: number
      readonly picture: Picture
    }
  | {
      readonly kind: 'picture-sent'
      readonly to: MemberId
      readonly of: MemberId
      readonly index: number
      readonly arrived: boolean
    }

export interface GroupOptions {
  readonly seed: number
  readonly voters: readonly MemberId[]
  /** Members that run and belong to nothing yet. */
  readonly spares?: readonly MemberId[]
  readonly core?: Core
  readonly raft?: Partial<Omit<Parameters<typeof raft>[0], 'id' | 'seed'>>
}

/** What broke, in words. */
export class Broken extends Error {
  override readonly name = 'Broken'
}

export interface Group {
  readonly members: ReadonlyMap<MemberId, Member>
  readonly parcels: Parcel[]
  readonly invariants: RaftInvariants
  /** Counts of what happened, for coverage. */
  readonly reached: Map<string, number>
  nowMs: number
  member(id: MemberId): Member
  /** Gives one input to a member that is up, and carries out what follows, but no disk work. */
  input(member: Member, input: RaftInput): void
  /** The disk does its next piece of work. */
  sync(member: Member): void
  deliver(parcel: Parcel): void
  crash(member: Member, worksDone: number): void
  start(member: Member): void
  /** A proposal of one command; the judge then knows when it was asked. */
  propose(member: Member, id: string): void
  read(member: Member, id: string, by: 'quorum' | 'lease'): void
  /** Takes a snapshot of what is applied, and keeps so many entries before it. */
  compact(member: Member, keep: number): void
  hear?: (member: Member, outputs: RaftOutputs) => void
  nextDeadlineMs(): number
  clockOf(member: Member): number
}

export function configurationOf(voters: readonly MemberId[]): Configuration {
  const addresses = Object.fromEntries(voters.map((id) => [id, `${id}:1`]))
  return { voters, outgoing: [], learners: [], addresses, retired: [] }
}

export function group(options: GroupOptions): Group {
  const { core = soundCore, seed, voters, spares = [] } = options
  const invariants = raftInvariants()
  const parcels: Parcel[] = []
  const reached = new Map<string, number>()
  const digests: number[] = [0]
  /** What was committed when a read was asked: it must show all of that. */
  const readFloors = new Map<string, number>()
  /** The same for a proposal: it must come after all of that. And its place, once it has one. */
  const writeFloors = new Map<Uint8Array, number>()
  const places = new Map<Uint8Array, number>()
  const members = new Map<MemberId, Member>()

  function count(what: string): void {
    reached.set(what, (reached.get(what) ?? 0) + 1)
  }

  const world: Group = {
    members,
    parcels,
    invariants,
    reached,
    nowMs: 0,
    member(id) {
      const member = members.get(id)
      if (member === undefined) throw new Error(`no member ${id}`)
      return member
    },
    input,
    sync,
    deliver,
    crash(member, worksDone) {
      for (let done = 0; done < worksDone && member.work.length > 0; done++) {
        carryOut(member, member.work.shift())
      }
      member.handedOut = Math.max(member.handedOut, member.state?.emitted ?? 0)
      const [next] = member.work
      if (next !== undefined) core.interrupted?.(member.disk, next)
      member.work.length = 0
      member.held = []
      member.state = undefined
      member.received = undefined
    },
    start,
    propose(member, id) {
      const command = new Uint8Array(0)
      writeFloors.set(command, invariants.committedIndex())
      input(member, { kind: 'propose', id, commands: [command] })
    },
    read(member, id, by) {
      readFloors.set(id, invariants.committedIndex())
      input(member, { kind: 'read', id, by })
    },
    compact(member, keep) {
      if (member.state === undefined) return
      const mark = snapshotMark(member.state, member.applied)
      if (mark === undefined || mark.index <= member.disk.picture.mark.index) return
      // Writing the picture and forgetting what it holds are one step of this disk, done before it is said.
      if (member.work.length > 0) return
      const forgotten = mark.index - member.disk.picture.mark.index
      member.disk.entries.splice(0, forgotten)
      member.disk.picture = { mark, digest: member.digest }
      count('snapshot taken')
      input(member, { kind: 'compact', mark, keepFrom: mark.index + 1 - keep })
    },
    nextDeadlineMs() {
      let next = Infinity
      for (const member of members.values()) {
        if (member.state === undefined) continue
        next = Math.min(next, deadlineMs(member.state) / (1 + member.drift))
      }
      return next
    },
    clockOf: clock,
  }

  for (const id of [...voters, ...spares]) {
    const configuration = configurationOf(voters.includes(id) ? voters : [])
    const mark = { index: 0, term: 0, configuration }
    const member: Member = {
      id,
      disk: { term: 0, vote: undefined, commit: 0, picture: { mark, digest: 0 }, entries: [] },
      work: [],
      held: [],
      state: undefined,
      applied: 0,
      handedOut: 0,
      digest: 0,
      received: undefined,
      drift: 0,
      starts: 0,
    }
    members.set(id, member)
    start(member)
  }

  function clock(member: Member): number {
    return world.nowMs * (1 + member.drift)
  }

  function start(member: Member): void {
    const { disk } = member
    const restored = {
      term: disk.term,
      vote: disk.vote,
      snapshot: disk.picture.mark,
      entries: [...disk.entries],
      commit: disk.commit,
    }
    const last = disk.picture.mark.index + disk.entries.length
    if (last < member.handedOut) {
      throw new Broken(`Durability: ${member.id} applied ${member.handedOut} and has ${last}`)
    }
    member.starts += 1
    member.applied = disk.picture.mark.index
    member.digest = disk.picture.digest
    const own = { id: member.id, seed: seed * 1_000 + member.id.charCodeAt(0) + 31 * member.starts }
    member.state = core.start({ ...options.raft, ...own }, restored, clock(member))
    judge(member)
  }

  function input(member: Member, what: RaftInput): void {
    if (member.state === undefined) return
    core.step(member.state, what, clock(member))
    settle(member)
  }

  function settle(member: Member): void {
    const { state } = member
    if (state === undefined) return
    const wasLeader = state.lead !== undefined
    const outputs = core.take(state, clock(member))
    if (outputs.write !== undefined) member.work.push({ kind: 'write', write: outputs.write })
    if (outputs.install !== undefined) {
      const { received } = member
      if (received?.mark !== outputs.install)
        throw new Broken(`${member.id} installs what is not there`)
      member.work.push({ kind: 'install', picture: received })
    }
    for (const message of outputs.send) parcels.push({ kind: 'message', message })
    for (const held of outputs.sendAfter) member.held.push(held)
    for (const { to, term } of outputs.sendSnapshot) {
      const { picture } = member.disk
      parcels.push({ kind: 'picture', from: member.id, to, term, picture })
    }
    for (const entry of outputs.committed) apply(member, entry)
    for (const { id, index } of outputs.reads) {
      count('read')
      const floor = readFloors.get(id) ?? 0
      if (index < floor) {
        throw new Broken(`Linearizable Reads: ${id} at ${member.id} shows ${index}, not ${floor}`)
      }
    }
    if (outputs.accepted.length > 0) count(wasLeader ? 'accepted' : 'forwarded')
    for (const { reason } of outputs.refused) count(`refused: ${reason}`)
    for (const { id, ok } of outputs.ended)
      count(`${id.replace(/[0-9]+$/, '')} ${ok ? 'done' : 'failed'}`)
    world.hear?.(member, outputs)
    judge(member)
  }

  function judge(member: Member): void {
    if (member.state === undefined) return
    const broken = invariants.check([member.state])
    if (broken !== undefined) throw new Broken(broken)
  }

  function apply(member: Member, entry: Entry): void {
    if (entry.index !== member.applied + 1) {
      throw new Broken(`${member.id} applies ${entry.index} after ${member.applied}`)
    }
    member.applied = entry.index
    member.digest = (Math.imul(member.digest ^ entry.term, 0x01000193) + entry.kind.length) | 0
    digests[entry.index] ??= member.digest
    if (digests[entry.index] !== member.digest)
      throw new Broken(`${member.id} has another state at ${entry.index}`)
    if (entry.kind !== 'command') return
    const place = places.get(entry.data)
    if (place === undefined) {
      places.set(entry.data, entry.index)
      const floor = writeFloors.get(entry.data) ?? 0
      if (entry.index <= floor) {
        throw new Broken(`Linearizable Writes: ${entry.index} was asked after ${floor}`)
      }
    } else if (place !== entry.index) {
      throw new Broken(`a command at ${place} and at ${entry.index}`)
    }
  }

  function sync(member: Member): void {
    const work = member.work.shift()
    if (work === undefined || member.state === undefined) return
    carryOut(member, work)
    if (work.kind === 'install') {
      if (work.picture.mark.index < member.applied) {
        throw new Broken(`${member.id} goes back from ${member.applied}`)
      }
      member.applied = work.picture.mark.index
      member.digest = work.picture.digest
      member.received = undefined
      count('snapshot installed')
      input(member, { kind: 'installed', index: work.picture.mark.index })
      return
    }
    const { ticket } = work.write
    const ready = member.held.filter((held) => held.ticket <= ticket)
    member.held = member.held.filter((held) => held.ticket > ticket)
    for (const { message } of ready) parcels.push({ kind: 'message', message })
    input(member, { kind: 'written', ticket })
  }

  function deliver(parcel: Parcel): void {
    if (parcel.kind === 'message') {
      const { message } = parcel
      const member = members.get(message.to)
      if (member !== undefined) input(member, { kind: 'message', message })
    } else if (parcel.kind === 'picture') {
      const { from, to, term, picture } = parcel
      const member = members.get(to)
      const arrived = member?.state !== undefined
      const index = picture.mark.index
      parcels.push({ kind: 'picture-sent', to: from, of: to, index, arrived })
      if (member?.state === undefined) return
      // While one is being put in place, another is not needed.
      if (member.state.installing !== undefined) return
      member.received = picture
      input(member, { kind: 'snapshot-received', from, term, mark: picture.mark })
    } else {
      const { to, of, index, arrived } = parcel
      const member = members.get(to)
      if (member !== undefined) input(member, { kind: 'snapshot-sent', to: of, index, arrived })
    }
  }

  return world
}

function carryOut({ disk }: Member, work: DiskWork | undefined): void {
  if (work === undefined) return
  if (work.kind === 'install') {
    const { picture } = work
    disk.picture = picture
    disk.entries = []
    disk.commit = Math.max(disk.commit, picture.mark.index)
    return
  }
  const { term, vote, commit, keepUntil, entries } = work.write
  const base = disk.picture.mark.index
  disk.term = term
  disk.vote = vote
  disk.commit = commit
  if (keepUntil - base < disk.entries.length) disk.entries.length = Math.max(0, keepUntil - base)
  for (const entry of entries) {
    if (entry.index <= base) continue
    if (entry.index !== base + disk.entries.length + 1) throw new Broken(`a gap on a disk`)
    disk.entries.push(entry)
  }
}
