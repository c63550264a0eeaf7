/**
 * A group of members that agree on one row of commands, and clients that ask any of them. Each member runs
 * the same machine on the same commands in the same order, so each holds the same state.
 *
 * Datagrams, because Paxos needs nothing better; it is for a network that only members and clients can
 * reach: nothing is sealed or signed.
 */
import type {
  ConfigurationChange,
  Genesis,
  PaxosInput,
  PaxosOutputs,
  PaxosStatus,
} from '../../protocols/paxos/contract.ts'
import type { PaxosState } from '../../protocols/paxos/paxos.ts'
import type { PaxosStorage } from './storage.ts'

export interface PaxosMachine {
  /**
   * Carries out a chosen command. Must not throw, look at clocks or chance. Never called twice for a command
   * that a client repeats.
   * @returns what the client gets, at most 16 KiB.
   */
  apply(slot: number, command: Uint8Array): Uint8Array
  /** Answers a question without changing anything. */
  query(question: Uint8Array): Uint8Array
  snapshot(): Uint8Array
  /** Replaces the state. */
  restore(state: Uint8Array): void
}

export interface PaxosHostOptions {
  readonly id: string
  /** `host:port` of this member, as in the configuration. */
  readonly address: string
  readonly genesis: Genesis
  /** A folder of its own. */
  readonly folder: string
  readonly machine: PaxosMachine
  readonly electionMs?: number
  readonly heartbeatMs?: number
  /** Commands between two snapshots. Default 1_000. */
  readonly snapshotEvery?: number
  /** Entries kept behind a snapshot for members that are slow. Default twice the window. */
  readonly keep?: number
  readonly segmentBytes?: number
  /** Clients that are remembered, so that what they repeat is done once. Default 10_000. */
  readonly sessionsMax?: number
  /** For trials: what stands between the member and its disk. */
  readonly storage?: (storage: PaxosStorage, id: string) => PaxosStorage
  /** For trials: the pure machine that is run, and a look at it. */
  readonly protocol?: PaxosProtocol
  readonly watch?: (state: PaxosState, out: PaxosOutputs) => void
}

/** The functions of `protocols/paxos`, or a broken variant of them. */
export interface PaxosProtocol {
  step(state: PaxosState, input: PaxosInput, nowMs: number): void
  take(state: PaxosState): PaxosOutputs
}

export interface PaxosHost extends AsyncDisposable {
  readonly id: string
  status(): PaxosStatus
  /**
   * Has the members changed; resolves when the new ones decide.
   * @throws {UnavailableError} this member does not lead, or another change is under way.
   * @throws {ConfigurationError} quorums that could miss each other, a name that was used before.
   * @throws {OutcomeUnknownError} it did not come into force within `timeoutMs`.
   */
  change(change: ConfigurationChange, options: { readonly timeoutMs: number }): Promise<void>
  /** Ends when this member can go on no more. */
  readonly stopped: Promise<StopReason>
  close(): Promise<void>
}

export type StopReason =
  | { readonly kind: 'closed' }
  | { readonly kind: 'removed' }
  /** Another disk is known under its name: it must be replaced, under a new one. */
  | { readonly kind: 'lost-disk' }
  /** What is on disk is unknown: start it again, and recovery decides. */
  | { readonly kind: 'disk'; readonly error: unknown }

/** What clients and members say to each other. */
export type ClientMessage = ClientRequest | ClientAnswer

export type ClientRequest =
  /** Begins a session. `id` is unique among all requests of all clients. */
  | { readonly kind: 'open'; readonly id: string }
  | {
      readonly kind: 'do'
      readonly id: string
      readonly session: string
      /** 1, 2, 3, … one at a time. */
      readonly sequence: number
      readonly command: Uint8Array
    }
  | { readonly kind: 'ask'; readonly id: string; readonly question: Uint8Array }

export type ClientAnswer =
  | { readonly kind: 'done'; readonly id: string; readonly answer: Uint8Array }
  | { readonly kind: 'opened'; readonly id: string; readonly session: string }
  /** Not here; there, if it is known. Nothing happened. */
  | { readonly kind: 'elsewhere'; readonly id: string; readonly address: string | undefined }
  /** The session is forgotten: whether the command was done before, nobody knows. It is not done now. */
  | { readonly kind: 'session-over'; readonly id: string }
