/**
 * What a handler knows about the message in its hands, and the one word it can say beside returning
 * and throwing: this message will never work, put it aside.
 */
import { HoldfastError } from '../errors.ts'

export interface DeliveryContext {
  /** The message's id: the same on every delivery. Use it to make the effect idempotent. */
  readonly id: string
  readonly key: string | undefined
  readonly headers: Readonly<Record<string, string>>
  /** 1 at first. Counted before the handler runs, so a handler that kills its process is counted. */
  readonly attempt: number
  /** How long the message has waited since it became due. */
  readonly waitedMs: number
  /**
   * Aborts when the message may have gone to somebody else (the lease ran out), when `holdMaxMs` is
   * over, or when the consumer stops and its drain time is over. Stop then: a later acknowledgement
   * will not count.
   */
  readonly signal: AbortSignal
}

/** Thrown by a handler: no retry can help. The message becomes a dead letter at once. */
export class RejectMessageError extends HoldfastError {
  constructor(reason: string, options?: { readonly cause?: unknown }) {
    super('message-rejected', 'invalid', reason, options)
  }
}

/** The reason kept with a retry or a dead letter: name, message and the first lines of the stack. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error).slice(0, 4_000)
  return (error.stack ?? `${error.name}: ${error.message}`).slice(0, 4_000)
}
