/**
 * LeaseStore is the promise under every lock, leader election and ownership: for a while, one owner.
 *
 * Guaranteed: by the store's clock a name has at most one unexpired lease, and each lease of a name
 * has a larger token than all leases of that name before it, across releases, expiries and restarts.
 * Not guaranteed: that a holder notices in time that its lease is gone. A process can be paused between
 * reading the clock and acting, so the thing protected must refuse old tokens.
 *
 * Durations are whole milliseconds. Besides the errors named, every method throws `UnavailableError`
 * or `StoreBusyError` (nothing happened), `OutcomeUnknownError` (it may have happened),
 * `InvalidArgumentError` (out of range) or `ClosedError`, and nothing else.
 */
export interface LeaseStore {
  readonly capabilities: LeaseCapabilities

  /**
   * Takes the name if it is free or its last lease has expired, and no one is ahead in line. Never
   * waits for the holder. Repeating a request with the same `attemptId` returns the lease that the
   * first one got (its expiry not moved), so an unknown outcome is settled by asking again.
   *
   * @returns the lease, or `undefined` while the name is someone else's: a refusal is an answer.
   * @throws {LimitExceededError} the line of this name is as long as the store allows.
   */
  acquire(request: LeaseRequest): Promise<Lease | undefined>

  /**
   * Moves the expiry to `ttlMs` from now, never earlier than it was. The token stays the same.
   * @throws {LeaseLostError} the lease expired or was taken over. Stop the protected work.
   */
  renew(lease: Lease, ttlMs: number): Promise<Lease>

  /**
   * Frees the name if this very lease still holds it. Safe to repeat.
   * @returns `false` if the lease was already gone: the protected work may have overlapped.
   */
  release(lease: Lease): Promise<boolean>

  /** Gives up the place in line taken with `queueForMs`. Safe to repeat, and if there is none. */
  withdraw(name: string, attemptId: string): Promise<void>

  /**
   * Calls `wake` when the name may have become free or the line may have moved: a hint that can be
   * lost, late or spurious. Poll behind it.
   * @param attemptId whose place in line is kept. A store that keeps the line may then wake only
   * when it is this attempt's turn, so that a release does not wake everybody.
   * @returns stops watching.
   */
  watch(name: string, wake: () => void, attemptId?: string): () => void

  /** Unexpired leases whose names start with `prefix`, by name, after `after`; at most `limit` (1 to 1_000). */
  list(
    prefix: string,
    page: { readonly after?: string; readonly limit: number },
  ): Promise<readonly LeaseInfo[]>

  /**
   * For operators: frees the name whoever holds it. The holder loses its lease and finds out by
   * `LeaseLostError` or by its fence. The next token is larger than ever.
   * @returns `false` if it was free.
   */
  evict(name: string): Promise<boolean>
}

export interface LeaseRequest {
  /** 1 to 512 characters, not only white space; compared exactly. */
  readonly name: string
  /** From `capabilities.ttlMinMs` to 86_400_000 (one day). No default: only the caller knows how long a pause can be. */
  readonly ttlMs: number
  /** Names this attempt, 1 to 64 characters, unique (use `random.id`). */
  readonly attemptId: string
  /** Who asks, for people; at most 200 characters. */
  readonly holder?: string
  /**
   * If refused, take or keep a place in line for this long; ask again before it ends. Needs
   * `capabilities.fairness === 'fifo'`, otherwise it is ignored. 1 to 3_600_000.
   */
  readonly queueForMs?: number
}

export interface Lease {
  readonly name: string
  /** Grows with every lease of this name. Send it with each write that the lease protects. */
  readonly token: bigint
  readonly attemptId: string
  /** Local monotonic time, counted from before the request left, less the drift margin. */
  readonly validUntilMs: number
}

export interface LeaseInfo {
  readonly name: string
  readonly token: bigint
  readonly holder: string
  /** By the store's clock, 0 or more. */
  readonly remainingMs: number
  readonly waiters: number
}

export interface LeaseCapabilities {
  /** Shortest time to live the engine can keep. */
  readonly ttlMinMs: number
  /** Times to live are rounded up to a multiple of this. */
  readonly ttlStepMs: number
  /** Does each lease expire alone, or all of one session together? */
  readonly ttlScope: 'lease' | 'session'
  /** `fifo`: the line is kept by the store. `none`: whoever asks first after a release. */
  readonly fairness: 'fifo' | 'none'
  /** Whose clock decides expiry. */
  readonly clock: 'machine-monotonic' | 'store-wall' | 'store-monotonic'
  /** What makes tokens grow, and when they could repeat: for `docs/guarantees.md`. */
  readonly fencing: string
  /** What survives: for `docs/guarantees.md`. */
  readonly durability: string
}

/** Share of a time to live that the local deadline gives up for clocks that run at different rates. */
export const leaseDriftMargin: number = 0.01
