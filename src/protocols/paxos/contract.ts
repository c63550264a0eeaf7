/**
 * Multi-Paxos as one pure machine: a row of slots, in each of which one value is chosen, once and for ever.
 * It is told what happened and answers what must be written, sent and applied; it never waits, reads no
 * clock and holds no socket.
 *
 * The host's side of the bargain, in three rules:
 * 1. Writes are carried out in order of `ticket`, and `written` is said only after the disk has them. If a
 *    write fails, the member stops for good and starts from its disk.
 * 2. A message in `sendAfter` leaves only when the write with its ticket is durable; `send` may leave at
 *    once, also while the write is under way.
 * 3. Messages may be lost, doubled, delayed and reordered; they are never changed or invented.
 *
 * Follows Lamport, "Paxos Made Simple" (2001) and "The Part-Time Parliament" (1998); for what practice
 * needs besides, Chandra, Griesemer and Redstone, "Paxos Made Live" (2007). Slots and rounds are whole
 * numbers below 2^53.
 */
import type { Ballot, NodeId } from './ballot.ts'
import type { Message } from './message.ts'
import type { Quorums } from './quorum.ts'

export interface PaxosOptions {
  readonly id: NodeId
  /**
   * A member that hears of no leader for this long, up to twice as long by chance, stands itself. After each
   * refusal the wait doubles, up to 32 times. 10 to 600_000, default 1_000.
   */
  readonly electionMs?: number
  /** How often a leader shows itself and repeats what was not answered. Default 100. */
  readonly heartbeatMs?: number
  /** Seeds the chance in waiting times. */
  readonly seed: number
  /** Proposals that wait for a slot; one more is refused with `full`. Default 1_024. */
  readonly queueMax?: number
  /** Reads that wait for a confirmation. Default 1_024. */
  readonly readsMax?: number
  /** Bytes of values in one message, at most; one larger value goes alone. Default 32_768. */
  readonly messageBytesMax?: number
}

/** Where a group begins: the same on every member that ever joins. */
export interface Genesis {
  /** In force from slot 1 on. */
  readonly configuration: Configuration
  /**
   * The window: a configuration chosen in slot s is in force from slot s + `alpha` on, so that up to `alpha`
   * slots may be open at once and each knows who decides it. 1 to 1_024.
   */
  readonly alpha: number
}

/** Who decides a slot. */
export interface Configuration {
  readonly members: readonly NodeId[]
  readonly quorums: Quorums
  /** Where each member is reached, opaque to the protocol. */
  readonly addresses: Readonly<Record<NodeId, string>>
  /** Names that were members once and may never be again; the last 200. */
  readonly retired: readonly NodeId[]
}

export interface PlacedConfiguration {
  /** The first slot it decides. */
  readonly from: number
  readonly configuration: Configuration
}

export type Value =
  /** Fills a slot that nobody needs, so that those after it can go on. */
  | { readonly kind: 'nothing' }
  | { readonly kind: 'command'; readonly data: Uint8Array }
  | { readonly kind: 'configuration'; readonly configuration: Configuration }

/** What a member holds for a slot: accepted in `ballot`; of a chosen slot, the chosen value. */
export interface Entry {
  readonly ballot: Ballot
  readonly value: Value
}

export interface PlacedEntry extends Entry {
  readonly slot: number
}

/** The state after `slot`, in the machine's own words, and who decides what follows. */
export interface Snapshot {
  readonly slot: number
  readonly configurations: readonly PlacedConfiguration[]
  readonly state: Uint8Array
}

/** All that a member must not forget. `durable.ts` says how records add up to it. */
export interface DurableState {
  /** Made by chance when the disk was first used: tells a member from one that has lost its disk. */
  readonly disk: string
  readonly genesis: Genesis
  /** May it take part? See `admission.ts`. */
  admitted: boolean
  /** The disks of the members that asked to be admitted here. */
  readonly peers: Map<NodeId, string>
  /** Of the last ballot begun here. */
  round: number
  /** At least the ballot of every entry. */
  promised: Ballot
  snapshot: Snapshot | undefined
  /** Entries below this are gone; all were chosen, and are in the snapshot. */
  firstSlot: number
  readonly entries: Map<number, Entry>
  /** All slots up to here are chosen, and the entries here are what was chosen. */
  commit: number
  /** For all slots after `commit`: the one in force, and those to come. */
  configurations: readonly PlacedConfiguration[]
}

export type DurableRecord =
  | { readonly kind: 'round'; readonly round: number }
  | { readonly kind: 'promise'; readonly ballot: Ballot }
  | ({ readonly kind: 'accept' } & PlacedEntry)
  /** Need not be synced by itself: it can be found out again. */
  | { readonly kind: 'commit'; readonly slot: number }
  | { readonly kind: 'snapshot'; readonly snapshot: Snapshot; readonly keepFrom: number }
  | { readonly kind: 'peer'; readonly node: NodeId; readonly disk: string }
  | { readonly kind: 'admitted' }

export type PaxosInput =
  /** Time has passed: to be said at `deadlineMs`, or any time. */
  | { readonly kind: 'time' }
  | { readonly kind: 'message'; readonly message: Message }
  /** The write with this ticket, and all before it, are durable. */
  | { readonly kind: 'written'; readonly ticket: number }
  | { readonly kind: 'propose'; readonly id: string; readonly data: Uint8Array }
  /** Asks for a slot such that a state that has applied it shows every write that ended before. */
  | { readonly kind: 'read'; readonly id: string }
  | { readonly kind: 'change'; readonly id: string; readonly change: ConfigurationChange }
  /** The machine's state as of all that was given out as `chosen`; keeps `keep` entries for the slow. */
  | { readonly kind: 'snapshot'; readonly state: Uint8Array; readonly keep: number }
  /** Stand now, whatever the timer says. */
  | { readonly kind: 'campaign' }

/** Any number of members at once: the window makes it safe. */
export interface ConfigurationChange {
  readonly members: readonly NodeId[]
  /** Of the new members; the others' are known. */
  readonly addresses: Readonly<Record<NodeId, string>>
  readonly quorums?: Partial<Quorums>
}

/** What a batch of inputs led to. Order within each list is the order it must be carried out in. */
export interface PaxosOutputs {
  readonly write: PaxosWrite | undefined
  readonly send: readonly Message[]
  readonly sendAfter: readonly { readonly ticket: number; readonly message: Message }[]
  /** Puts this in place of the machine's state, before `chosen`. */
  readonly install: Snapshot | undefined
  /** In slot order, each once. */
  readonly chosen: readonly { readonly slot: number; readonly value: Value }[]
  /** May be served as soon as `slot` is applied. */
  readonly reads: readonly { readonly id: string; readonly slot: number }[]
  /** Nothing happened. */
  readonly refused: readonly { readonly id: string; readonly reason: Refusal }[]
  /** This member is over: it was removed, or another disk was known under its name. */
  readonly ended: 'removed' | 'lost-disk' | undefined
}

export type Refusal = 'not-leader' | 'full' | 'change-under-way' | 'invalid-change'

export interface PaxosWrite {
  readonly ticket: number
  readonly records: readonly DurableRecord[]
  /** Must it be synced before `written`? */
  readonly sync: boolean
}

/** For people and for tests. */
export interface PaxosStatus {
  readonly id: NodeId
  readonly role: 'waiting' | 'follower' | 'preparing' | 'leader'
  readonly leader: NodeId | undefined
  readonly promised: Ballot
  readonly commit: number
  readonly firstSlot: number
  readonly lastSlot: number
  readonly configuration: Configuration
  /** Is a chosen configuration waiting for its slot? */
  readonly isChanging: boolean
}
