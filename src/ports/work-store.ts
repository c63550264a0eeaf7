/**
 * WorkStore keeps work that is to be done once: messages that go to one consumer each, stay leased
 * while it works, and come back if it dies.
 *
 * Guaranteed: a published message is delivered at least once, until it is settled as done or dead;
 * settling and extending carry the receipt of one delivery, and the receipt of an expired delivery can
 * do nothing to a newer one; attempts are counted before delivery, so a consumer that kills its process
 * is counted too; messages of one key are delivered one at a time, in the order published.
 * Not guaranteed: exactly one delivery. Make the effect idempotent, or write it together with the
 * message id (`effectOnce`).
 *
 * Errors as in `LeaseStore`. After an unknown publish, publish again with the same id.
 */
export interface WorkStore {
  readonly capabilities: WorkCapabilities

  /** Creates the queue or updates its limits. Idempotent; call it before anything else. */
  declare(queue: string, limits: QueueLimits): Promise<void>

  /**
   * Adds messages, all or none. 1 to 1_000.
   * @returns for each whether it was stored, or dropped as a duplicate of an id seen within the dedup
   * horizon; or `full`, if the limit allows none of them.
   */
  publish(
    queue: string,
    messages: readonly WorkMessage[],
  ): Promise<readonly ('stored' | 'duplicate')[] | 'full'>

  /**
   * Leases up to `limit` ready messages. Never waits.
   * Ready: due, not leased, and no older unsettled message of the same key. Order: priority, then due
   * time, then order of publication.
   */
  claim(queue: string, request: ClaimRequest): Promise<readonly Delivery[]>

  /**
   * Ends deliveries. Each stands alone.
   * @returns for each `settled`, or `lost` if that delivery had expired or was settled before: another
   * consumer may have the message.
   */
  settle(
    queue: string,
    settlements: readonly Settlement[],
  ): Promise<readonly ('settled' | 'lost')[]>

  /** Moves the lease to `leaseMs` from now. @returns for each receipt whether it still held. */
  extend(queue: string, receipts: readonly string[], leaseMs: number): Promise<readonly boolean[]>

  /** Calls `wake` when there may be something to claim: a hint. @returns stops watching. */
  watch(queue: string, wake: () => void): () => void

  stats(queue: string): Promise<QueueStats>

  /** Dead letters, oldest first, after `after` (a message id); at most `limit` (1 to 1_000). */
  deadLetters(
    queue: string,
    page: { readonly after?: string; readonly limit: number },
  ): Promise<readonly DeadLetter[]>

  /**
   * Puts dead letters back, ids and keys kept, attempts reset, in order of publication.
   * @returns how many were moved. A letter redriven `redrivesMax` (10) times stays dead.
   */
  redrive(queue: string, ids: readonly string[]): Promise<number>
}

export interface QueueLimits {
  /** Unsettled messages. 1 to 10_000_000. */
  readonly lengthMax: number
  /** At the limit: refuse the newcomer (`full`), or drop the oldest ready one and count it. */
  readonly overflow: 'reject' | 'drop-oldest'
  /** How long a message id is remembered after publication. 0 to 604_800_000 (7 days). */
  readonly dedupMs: number
}

export interface WorkMessage {
  /** 1 to 200 characters. The same id within the dedup horizon is stored once. */
  readonly id: string
  /** Bytes as text, usually JSON; at most 262_144 characters. */
  readonly body: string
  /** Name and version of the definition of the body, so that only who knows it claims it. */
  readonly kind: string
  /** At most 32 pairs, 8_192 characters together. */
  readonly headers?: Readonly<Record<string, string>>
  /** Order by key; 1 to 200 characters. Absent: no order. */
  readonly key?: string
  /** Not before this long from now, by the store's clock. 0 to 100 years. Default 0. */
  readonly delayMs?: number
  /** 0 (first) to 9 (last). Default 5. Not allowed together with `key`. */
  readonly priority?: number
}

export interface ClaimRequest {
  readonly limit: number
  /** 100 to 86_400_000. */
  readonly leaseMs: number
  /** For people; at most 200 characters. */
  readonly consumer: string
  /** Only messages of these kinds are claimed. */
  readonly kinds: readonly string[]
}

export interface Delivery {
  readonly message: WorkMessage
  /** Names this delivery of this message, and no other. */
  readonly receipt: string
  /** This delivery included, so 1 at first. */
  readonly attempt: number
  /** Local monotonic time until which the message is surely ours. */
  readonly validUntilMs: number
  /** How long the message has waited since it became due, by the store's clock. */
  readonly waitedMs: number
}

export type Settlement =
  | { readonly receipt: string; readonly outcome: 'done' }
  /** Back to the queue after `delayMs`, its place in the order of its key kept. */
  | {
      readonly receipt: string
      readonly outcome: 'retry'
      readonly delayMs: number
      readonly reason: string
      /** Does this attempt count? `false` for a consumer that shuts down. Default `true`. */
      readonly counts?: boolean
    }
  /** To the dead letters, in the same commit. */
  | { readonly receipt: string; readonly outcome: 'dead'; readonly reason: string }

export interface DeadLetter {
  readonly message: WorkMessage
  /** At most 4_096 characters. */
  readonly reason: string
  readonly attempts: number
  readonly redrives: number
  /** Wall time of the store. */
  readonly publishedAtMs: number
  readonly diedAtMs: number
}

export interface QueueStats {
  readonly ready: number
  readonly delayed: number
  readonly inFlight: number
  /** Waiting behind an unsettled message of the same key. */
  readonly blocked: number
  readonly dead: number
  /** Since when the oldest due message waits; 0 if none. */
  readonly oldestReadyMs: number
  /** Ready messages by kind, so that what nobody can claim is seen. At most 100 kinds. */
  readonly readyByKind: Readonly<Record<string, number>>
  readonly droppedTotal: number
  readonly redeliveredTotal: number
}

/** `native`: the engine does it. `composed`: done over `RecordStore`, at a printed cost. `refused`. */
export type Support = 'native' | 'composed' | 'refused'

export interface WorkCapabilities {
  readonly delay: Support
  readonly priority: Support
  readonly attempts: Support
  readonly dedup: Support
  readonly orderByKey: Support
  readonly durability: string
}
