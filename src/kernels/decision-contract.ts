/**
 * What the decision kernel promises. Think of a sealed envelope on a table: many may write on the
 * outside while they hold it, but whoever seals it first has decided, and it stays on the table, sealed,
 * so that everyone who comes late reads the same answer.
 */
import type { OpenRecord, StoredRequest } from './decision-record.ts'

/**
 * Guaranteed: an id has at most one outcome while its tombstone is kept; each claim has a higher epoch
 * than all before it; after a takeover no write of an older epoch is accepted; what returned is durable
 * as the store's `capabilities.durability` says.
 * Not guaranteed: that an owner notices his loss before he acts. Calls to others may still leave between
 * the loss and the next write, so send `epoch` and a stable key with them. And nothing is remembered
 * after `retainMs` by the store's clock: let it exceed by far the time for which messages can be late.
 *
 * States, outcomes and requests are JSON (64-bit values as text). Errors as in `RecordStore`;
 * an unknown outcome of a write was settled by reading back, where the store could be reached.
 */
export interface Decisions<State, Result> {
  /**
   * Creates the instance, or tells what is there: safe to repeat. With `claim`, a created instance is
   * owned from the start, in the same write.
   */
  open(id: string, state: State, options?: OpenOptions): Promise<Opened<State, Result>>
  /** Takes an instance that nobody owns, or whose owner gave no sign of life for his `holdMs`. */
  claim(id: string, claim: Claim): Promise<Claimed<State, Result>>
  /** Takes instances that are due, earliest first, as far as `accept` agrees. */
  claimDue(options: ClaimDueOptions<State>): Promise<DueClaims<State, Result>>
  /**
   * Leaves a request for the owner, who sees it at his next write; an instance without owner becomes
   * due at once. The same `request.id` counts once. At most 32 wait: then the answer is `full`.
   */
  request(id: string, request: StoredRequest): Promise<'stored' | 'full' | 'absent' | 'decided'>
  /**
   * Decides whoever owns it, also an id that was never opened: a later `open` then finds it decided.
   * The first outcome wins.
   */
  decide(id: string, outcome: Result): Promise<Decided<Result>>
  /**
   * Decides only if `when` agrees to what is there (`undefined`: never opened).
   * @returns `undefined` if it does not; an outcome that is there already is returned all the same.
   */
  decideIf(
    id: string,
    outcome: Result,
    when: (instance: Instance<State, Result> | undefined) => boolean,
  ): Promise<Decided<Result> | undefined>
  read(id: string): Promise<Instance<State, Result> | undefined>
  /** In order of id, after `after`; `limit` 1 to 1_000. */
  list(page: {
    readonly after?: string
    readonly limit: number
  }): Promise<readonly Instance<State, Result>[]>
  /** Calls `wake` after changes: a hint, to be backed by a poll. @returns stops watching. */
  watch(wake: () => void): () => void
}

export interface DecisionOptions {
  /** The area in the record store, 1 to 100 characters. */
  readonly space: string
  /** How long a tombstone is kept. 1_000 to 100 years. Default 7 days. */
  readonly retainMs?: number
  /** Forgets an open instance this long after its last write. Default: never. */
  readonly openRetainMs?: number
}

export interface Claim {
  /** For people; at most 200 characters. */
  readonly owner: string
  /** Time without a write after which others may take over. 10 to 86_400_000. */
  readonly holdMs: number
}

export interface OpenOptions {
  readonly claim?: Claim
  /** When it becomes due if it is not claimed at once. Default 0. */
  readonly dueInMs?: number
}

export interface ClaimDueOptions<State> {
  readonly claim: Claim
  /** 1 to 1_000. */
  readonly limit: number
  /** Instances this process cannot work on are left to others. */
  readonly accept?: (state: State, id: string) => boolean
}

export interface DueClaims<State, Result> {
  readonly claimed: readonly Ownership<State, Result>[]
  /** Due, but not accepted. */
  readonly passedOver: readonly { readonly id: string; readonly state: State }[]
  /** Due, but damaged or written by a newer version: ids, for people. The others go on. */
  readonly unreadable: readonly string[]
}

export type Opened<State, Result> =
  | { readonly status: 'created'; readonly ownership?: Ownership<State, Result> }
  | ({ readonly status: 'found' } & { readonly instance: Instance<State, Result> })

export type Claimed<State, Result> =
  | { readonly status: 'claimed'; readonly ownership: Ownership<State, Result> }
  | { readonly status: 'held'; readonly retryInMs: number; readonly owner: string }
  | { readonly status: 'decided'; readonly outcome: Result }
  | { readonly status: 'absent' }

export type Instance<State, Result> =
  | (Omit<OpenRecord, 'state' | 'stamp'> & {
      readonly id: string
      readonly state: State
      /** Milliseconds until others may claim it; absent: not before a request. */
      readonly dueInMs?: number
    })
  | {
      readonly status: 'decided'
      readonly id: string
      readonly epoch: bigint
      readonly outcome: Result
    }

export interface Decided<Result> {
  /** The first outcome, which may be another's. */
  readonly outcome: Result
  /** Did this very call decide it? */
  readonly won: boolean
}

/**
 * The methods that write throw `LeaseLostError` when a newer epoch owns the instance or, all but
 * `decide`, when it was decided elsewhere; after any other error the ownership may still hold.
 */
export interface Ownership<State, Result> {
  readonly id: string
  /** Send it along with everything done under this ownership. */
  readonly epoch: bigint
  readonly state: State
  /** Requests known since the last write. */
  readonly requests: readonly StoredRequest[]
  /** Aborts when the right is known to be lost or its time ran out. Only the epoch protects others. */
  readonly signal: AbortSignal
  /** By this machine's monotonic clock, counted from before the last write was sent. */
  remainingMs(): number
  /** Moves the state and the hold. `answered`: ids of requests that are thereby dealt with. */
  save(state: State, options?: { readonly answered?: readonly string[] }): Promise<void>
  /** A sign of life. */
  extend(): Promise<void>
  /**
   * Extends every third of `holdMs` in the background, at most for `maxMs`. `onRequests` is
   * called after each extension while there are requests.
   * @returns stops extending. Call it when the work is over, however it ended: what is not given up
   * then runs out after `holdMs`, and is not held for `maxMs` by somebody who does nothing.
   */
  keep(maxMs: number, onRequests?: () => void): () => void
  /** The first outcome wins and stays. */
  decide(outcome: Result): Promise<Decided<Result>>
  /** Ends the ownership and leaves the instance to whoever claims it when it is due. */
  giveUp(until: OwnedUntil<State>): Promise<void>
}

export interface OwnedUntil<State> {
  readonly state?: State
  readonly answered?: readonly string[]
  /** Absent: never due by itself; a request makes it due. */
  readonly dueInMs?: number
}
