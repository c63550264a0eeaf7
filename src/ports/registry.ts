/**
 * Registry is the list of who is here: keys bound to a session that ends when its owner stops keeping
 * it alive, and watches that tell everyone else.
 *
 * Guaranteed: an entry is visible at most until its session's expiry by the store's clock; revisions
 * grow; a watch yields one complete snapshot, then every later change once, in order of revision, or
 * says `compacted` and stops. An entry can be changed or removed only by the session that made it: a
 * late deregistration of an old incarnation cannot remove the new one's entry.
 * Not guaranteed: that a listed instance still lives, or that a living one is listed. A list is news,
 * and news is old.
 *
 * Errors as in `LeaseStore`.
 */
export interface Registry {
  readonly capabilities: RegistryCapabilities

  /** Starts a session and keeps it alive until `close` or loss. One is enough for a process. */
  openSession(options: SessionOptions): Promise<Session>

  /**
   * Writes the entry, or replaces this session's own (same key, same session). Keys of other living
   * sessions are never replaced.
   * @returns the entry's revision, or `undefined` if another living session owns the key.
   * @throws {LeaseLostError} the session is over: open another and register again.
   */
  register(session: Session, key: string, value: string): Promise<bigint | undefined>

  /**
   * Removes the entry if this session made it. Safe to repeat.
   * @returns `false` if it was not there or is another's.
   */
  deregister(session: Session, key: string): Promise<boolean>

  /** One snapshot of the entries whose keys start with `prefix`, by key; at most 10_000. */
  list(prefix: string): Promise<RegistrySnapshot>

  /**
   * Yields changes until `signal` aborts: first a snapshot (unless `fromRevision` is given and still
   * retained), then events. The iterator ends without error on abort, and throws if the registry is
   * out of reach for longer than its poll: keep the last snapshot and watch again.
   */
  watch(prefix: string, options: WatchOptions): AsyncIterable<RegistryChange>
}

export interface SessionOptions {
  /** How long after the last sign of life the entries vanish. 500 to 3_600_000. */
  readonly ttlMs: number
  /** For people; at most 200 characters. */
  readonly owner: string
}

export interface Session {
  readonly id: string
  /** Grows with every session of this registry. */
  readonly incarnation: bigint
  /**
   * Aborts when the session is over or its local deadline has passed: act as if all its entries and
   * rights are gone. The reason is a `LeaseLostError`, or a `ClosedError` after `close`.
   */
  readonly lost: AbortSignal
  /** Local monotonic time until which the session is surely alive. */
  validUntilMs(): number
  /** Removes all entries of the session at once. Safe to repeat. */
  close(): Promise<void>
}

export interface WatchOptions {
  readonly signal: AbortSignal
  /** The revision of the last change seen; events after it follow. */
  readonly fromRevision?: bigint
}

export interface RegistryEntry {
  /** 1 to 512 characters. */
  readonly key: string
  /** At most 16_384 characters. */
  readonly value: string
  readonly sessionId: string
  /** The incarnation of the session that made it. */
  readonly incarnation: bigint
  /** Revision of the last change of this entry. */
  readonly revision: bigint
}

export interface RegistrySnapshot {
  readonly revision: bigint
  readonly entries: readonly RegistryEntry[]
}

export type RegistryChange =
  | ({ readonly kind: 'snapshot' } & RegistrySnapshot)
  | { readonly kind: 'put'; readonly revision: bigint; readonly entry: RegistryEntry }
  | {
      readonly kind: 'removed'
      readonly revision: bigint
      readonly key: string
      readonly sessionId: string
      readonly cause: 'deregistered' | 'expired'
    }
  /** `fromRevision` is older than what is retained: watch again without it. The iterator ends. */
  | { readonly kind: 'compacted'; readonly revision: bigint }

export interface RegistryCapabilities {
  readonly sessionTtlMinMs: number
  /** CP: refuses while the store cannot decide. AP: may answer with what it last knew. */
  readonly consistency: 'CP' | 'AP'
  /** How changes are learnt. */
  readonly notification: 'native' | 'hint-and-poll'
  readonly durability: string
}
