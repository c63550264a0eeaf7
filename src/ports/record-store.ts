/**
 * RecordStore keeps small documents by key, each with a version that changes on every write, so that
 * "write only if nobody wrote since I looked" is one call. Decisions, sagas, idempotency keys and
 * positions live here.
 *
 * Guaranteed: reads and writes of one record are linearizable; a write that returned is durable as
 * `capabilities.durability` says; versions of one record only grow, also across delete and re-creation.
 * Not guaranteed: anything across two records, except by `putAll`.
 *
 * Errors as in `LeaseStore`. After `OutcomeUnknownError`, read: the version tells whether the write
 * took effect.
 */
export interface RecordStore {
  readonly capabilities: RecordCapabilities

  get(space: string, key: string): Promise<StoredRecord | undefined>

  /**
   * Writes one record if its version is as expected.
   * @returns the new version, or `undefined` on conflict: read again and decide again.
   */
  put(write: RecordWrite): Promise<bigint | undefined>

  /**
   * Writes all or none, atomically. 1 to 100 writes, all to different records.
   * @returns the new versions in order, or `undefined` if any expectation failed.
   */
  putAll(writes: readonly RecordWrite[]): Promise<readonly bigint[] | undefined>

  /** Deletes if the version is as expected. @returns `false` on conflict or if absent. */
  delete(space: string, key: string, expected: bigint): Promise<boolean>

  /**
   * Records whose `dueMs` has come, earliest first, ties by key; at most `limit` (1 to 1_000). It
   * claims nothing: claim with a `put` by version.
   */
  due(space: string, limit: number): Promise<readonly StoredRecord[]>

  /** Records of a space in order of key, after `after`; at most `limit` (1 to 1_000). */
  list(
    space: string,
    page: { readonly after?: string; readonly limit: number },
  ): Promise<readonly StoredRecord[]>

  /** Adds to a counter that starts at 0. @returns the sum. `by` and the sum fit 64 bits. */
  increment(space: string, key: string, by: bigint): Promise<bigint>

  /** Calls `wake` after writes to the space: a hint. @returns stops watching. */
  watch(space: string, wake: () => void): () => void
}

export interface RecordWrite {
  /** The feature's own area, 1 to 100 characters. */
  readonly space: string
  /** 1 to 512 characters. */
  readonly key: string
  /** JSON text of at most 1_048_576 characters. */
  readonly value: string
  /** The version last read, or `absent` to create, or `any` to overwrite whatever is there. */
  readonly expected: bigint | 'absent' | 'any'
  /** In how many milliseconds from now the record becomes due, by the store's clock. Absent: never. */
  readonly dueInMs?: number
  /** Deleted this long from now, by the store's own sweep. Absent: kept. */
  readonly expiresInMs?: number
}

export interface StoredRecord {
  readonly key: string
  readonly value: string
  readonly version: bigint
  /** Milliseconds until due when it was read; 0 or less is due. Absent: never due. */
  readonly dueInMs?: number
}

export interface RecordCapabilities {
  /** Can a record change in the same transaction as the user's own rows? */
  readonly sharesUserTransaction: boolean
  readonly durability: string
}
