/**
 * What every question about work needs to know: which queue, and what time it is. All statements about
 * work take these four first: ?1 the queue, ?2 wall time, ?3 monotonic time, ?4 the boot.
 *
 * Due times are on the queue's own clock (`due-clock.ts`). Leases of deliveries are on the machine's
 * monotonic clock and carry its boot: under another boot id they are over, because every process that
 * could hold one is dead.
 */
import type { SqlStatement, SqlValue } from '../../runtime/sql.ts'
import { type ClockReading, clockAdvance, clockNow, clockParameters } from './due-clock.ts'
import { placeBits, workState } from './work-tables.ts'

export interface WorkScope {
  /** The number of the queue's row. */
  readonly queue: number
  readonly now: ClockReading
}

/** The queue's time, as a scalar. */
export const workNow: string = `
  (SELECT ${clockNow('?2', '?3', '?4')} FROM holdfast_work_queue WHERE id = ?1)`

/** Makes the queue remember its time, so that what was due once stays due. */
export const rememberNow: string = clockAdvance('?2', '?3', '?4')

/** The number of the next message to be published, in a row of the queue's table `q`. */
export const nextSeq: string = `((q.id << ${placeBits}) + q.next_place)`

/** A message's place in the order of publication of its queue; fits a `number`. */
export const placeOf = (seq: string): string => `(${seq} & ${2 ** placeBits - 1})`

/** An SQL text and which of the numbered parameters it takes, in its own order. */
export interface WorkQuery {
  readonly sql: string
  readonly takes: readonly number[]
}

/**
 * Few statements need all four of the first parameters, and a number must not be left out: so each text
 * is written with the common numbers and renumbered here, once.
 */
export function workQuery(text: string): WorkQuery {
  const numbers = new Set(Array.from(text.matchAll(/\?(\d+)/g), ([, digits]) => Number(digits)))
  const takes = [...numbers].sort((left, right) => left - right)
  const sql = text.replace(/\?(\d+)/g, (_, digits) => `?${takes.indexOf(Number(digits)) + 1}`)
  return { sql, takes }
}

export function workStatement(
  { queue, now }: WorkScope,
  { sql, takes }: WorkQuery,
  own: readonly SqlValue[] = [],
): SqlStatement {
  const all = [queue, ...clockParameters(now), ...own]
  return { sql, parameters: takes.map((number) => all[number - 1] ?? null) }
}

/**
 * A receipt names one delivery: the message's place, the claim that took it (128 random bits), and
 * whether settling it may free a follower of its key.
 */
export interface Receipt {
  readonly place: number
  readonly claim: string
  readonly keyed: boolean
}

export function receiptText({ place, claim, keyed }: Receipt): string {
  return `${place}.${claim}${keyed ? '.k' : ''}`
}

/** @returns `undefined` for what this driver never gave out: such a delivery does not exist. */
export function receiptOf(text: string): Receipt | undefined {
  const parts = /^(\d{1,13})\.([0-9a-f]{32})(\.k)?$/.exec(text)
  if (parts === null) return undefined
  const [, place = '', claim = '', key] = parts
  return { place: Number(place), claim, keyed: key !== undefined }
}

/** Rows `[place, claim, …]` of a JSON list ?5, joined to the deliveries that still hold. */
export const heldDeliveries: string = `
  json_each(?5) r CROSS JOIN holdfast_work_message m ON m.seq = (?1 << ${placeBits}) + (r.value ->> 0)
  WHERE m.state = ${workState.leased} AND m.claim = r.value ->> 1
    AND m.lease_boot = ?4 AND m.lease_until_ms > ?3`
