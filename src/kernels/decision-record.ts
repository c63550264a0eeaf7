/**
 * How a decision looks in the store: a small JSON document that is either *open* (somebody may own it
 * and its state moves on) or *decided* (a tombstone, which nothing overwrites). The stamp names the write
 * that made the document, so that a writer who got no answer can look whether it was his.
 */
import { CorruptDataError, FormatTooNewError, InvalidArgumentError } from '../errors.ts'

/** Bumped when an older process could misread what a newer one wrote. */
const formatVersion = 1

export interface OpenRecord {
  readonly status: 'open'
  /** Counts the owners so far; 0 while nobody has owned it. Grows by one with every claim. */
  readonly epoch: bigint
  /** The last write by the opener or an owner. Requests from outside leave it as it is. */
  readonly stamp: string
  /** Absent while nobody owns it: then it may be claimed at any time. */
  readonly owner?: string
  readonly state: unknown
  /** What outsiders asked of the owner, oldest first. */
  readonly requests: readonly StoredRequest[]
}

export interface DecidedRecord {
  readonly status: 'decided'
  readonly epoch: bigint
  readonly stamp: string
  readonly outcome: unknown
}

export interface StoredRequest {
  /** Makes asking twice count once. */
  readonly id: string
  readonly body: unknown
}

export type DecisionRecord = OpenRecord | DecidedRecord

/** @throws {InvalidArgumentError} the caller's part is not JSON. */
export function encodeRecord(record: DecisionRecord): string {
  try {
    return JSON.stringify({ format: formatVersion, ...record, epoch: String(record.epoch) })
  } catch (cause) {
    throw new InvalidArgumentError('state or outcome is not JSON', { cause })
  }
}

/** @throws {FormatTooNewError} @throws {CorruptDataError} */
export function decodeRecord(key: string, text: string): DecisionRecord {
  const raw = parse(key, text)
  const { format, status, epoch, stamp, owner, state, requests, outcome } = raw
  if (typeof format === 'number' && format > formatVersion) {
    throw new FormatTooNewError(
      `decision "${key}" has format ${format}; this process reads up to ${formatVersion}`,
    )
  }
  if (format !== formatVersion || typeof epoch !== 'string' || typeof stamp !== 'string') {
    throw corrupt(key)
  }
  const common = { epoch: BigInt(epoch), stamp }
  if (status === 'decided') return { ...common, status, outcome: outcome ?? null }
  if (status !== 'open' || !Array.isArray(requests)) throw corrupt(key)
  return {
    ...common,
    status,
    ...(typeof owner === 'string' ? { owner } : {}),
    state: state ?? null,
    requests,
  }
}

function parse(key: string, text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch (cause) {
    throw corrupt(key, cause)
  }
  throw corrupt(key)
}

function corrupt(key: string, cause?: unknown): CorruptDataError {
  return new CorruptDataError(`decision "${key}" is damaged; nothing was changed`, { cause })
}
