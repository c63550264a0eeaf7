/**
 * The end of deliveries. Each settlement stands alone and acts only if its receipt still holds: the
 * message is leased, by that very claim, and the lease has not run out. Whatever a consumer reports too
 * late changes nothing.
 */
import type { Settlement } from '../../ports/work-store.ts'
import type { SqlOutcome, SqlStatement } from '../../runtime/sql.ts'
import {
  heldDeliveries,
  placeOf,
  receiptOf,
  rememberNow,
  type WorkScope,
  workNow,
  workQuery,
  workStatement,
} from './work-scope.ts'
import { deadLettersMax, workState } from './work-tables.ts'

const { queued, dead } = workState

/** The claim stays in the row after the delivery has ended, so that it can be told in the answer. */
const answered = `RETURNING ${placeOf('seq')} AS place, claim`
const nameOf = (place: unknown, claim: unknown): string => `${place}.${claim}`
const stillHeld = `(SELECT m.seq FROM ${heldDeliveries})`

const DONE = workQuery(`
  DELETE FROM holdfast_work_message WHERE seq IN ${stillHeld} ${answered}`)

const RETRY = workQuery(`
  UPDATE holdfast_work_message SET state = ${queued}, delayed = retried.delay > 0,
    due_ms = ${workNow} + retried.delay, attempt = attempt - retried.uncounted,
    lease_boot = NULL, lease_until_ms = NULL
  FROM (SELECT m.seq AS held, r.value ->> 2 AS delay, r.value ->> 3 AS uncounted
    FROM ${heldDeliveries}) retried
  WHERE seq = retried.held ${answered}`)

const DEAD = workQuery(`
  UPDATE holdfast_work_message SET state = ${dead}, died_ms = ${workNow}, reason = died.reason,
    lease_boot = NULL, lease_until_ms = NULL
  FROM (SELECT m.seq AS held, r.value ->> 2 AS reason FROM ${heldDeliveries}) died
  WHERE seq = died.held ${answered}`)

const TRIM = workQuery(`
  DELETE FROM holdfast_work_message WHERE seq IN (
    SELECT seq FROM holdfast_work_message WHERE queue = ?1 AND state = ${dead}
    ORDER BY seq LIMIT max(0, (SELECT sum(dead) FROM holdfast_work_lane WHERE queue = ?1) - ?5))`)

const REMEMBER = workQuery(`UPDATE holdfast_work_queue SET ${rememberNow} WHERE id = ?1`)

const EXTEND = workQuery(`
  UPDATE holdfast_work_message SET lease_until_ms = ?3 + ?6
  WHERE seq IN ${stillHeld} ${answered}`)

export interface SettleBatch {
  readonly statements: readonly SqlStatement[]
  /** Others may have something to claim afterwards. */
  readonly wakes: boolean
  readonly answer: (outcome: SqlOutcome) => Settled
}

export interface Settled {
  readonly results: readonly ('settled' | 'lost')[]
  /** Dead letters beyond the limit, dropped to make room. */
  readonly lettersDropped: number
}

const reasonLengthMax = 4_096

export function settleBatch(
  scope: WorkScope,
  settlements: readonly Settlement[],
  lettersMax: number = deadLettersMax,
): SettleBatch {
  const receipts = settlements.map(({ receipt }) => receiptOf(receipt))
  const done: unknown[] = []
  const retried: unknown[] = []
  const died: unknown[] = []
  // The first word on a delivery counts; a second one finds it settled.
  const owners = new Map<string, number>()
  settlements.forEach((settlement, index) => {
    const receipt = receipts[index]
    if (receipt === undefined) return
    const name = nameOf(receipt.place, receipt.claim)
    if (owners.has(name)) return
    owners.set(name, index)
    const row = [receipt.place, receipt.claim]
    if (settlement.outcome === 'done') done.push(row)
    else if (settlement.outcome === 'retry') {
      retried.push([...row, settlement.delayMs, settlement.counts === false ? 1 : 0])
    } else died.push([...row, bounded(settlement.reason)])
  })
  const lists = [
    { sql: DONE, rows: done },
    { sql: RETRY, rows: retried },
    { sql: DEAD, rows: died },
  ].filter(({ rows }) => rows.length > 0)
  const statements = lists.map(({ sql, rows }) => workStatement(scope, sql, [JSON.stringify(rows)]))
  const trimAt = died.length > 0 ? statements.length : -1
  if (died.length > 0) statements.push(workStatement(scope, TRIM, [lettersMax]))
  if (died.length + retried.length > 0) statements.push(workStatement(scope, REMEMBER))
  return {
    statements,
    wakes: retried.length > 0 || receipts.some((receipt) => receipt?.keyed),
    answer({ results }) {
      const settled = new Set<number>()
      for (const { rows } of results.slice(0, lists.length)) {
        for (const row of rows) settled.add(owners.get(nameOf(row.place, row.claim)) ?? -1)
      }
      return {
        results: settlements.map((_, index) => (settled.has(index) ? 'settled' : 'lost')),
        lettersDropped: results[trimAt]?.changes ?? 0,
      }
    },
  }
}

/** A reason may carry a stack of any length; its beginning says what is needed. */
function bounded(reason: string): string {
  return reason.slice(0, reasonLengthMax).replaceAll('\0', '\ufffd').toWellFormed()
}

export function extendStatement(
  scope: WorkScope,
  receipts: readonly string[],
  leaseMs: number,
): SqlStatement {
  const rows = receipts.flatMap((text) => {
    const receipt = receiptOf(text)
    return receipt === undefined ? [] : [[receipt.place, receipt.claim]]
  })
  return workStatement(scope, EXTEND, [JSON.stringify(rows), leaseMs])
}

export function extended({ results }: SqlOutcome, receipts: readonly string[]): readonly boolean[] {
  const held = new Set(results[0]?.rows.map(({ place, claim }) => nameOf(place, claim)))
  return receipts.map((text) => {
    const receipt = receiptOf(text)
    return receipt !== undefined && held.has(nameOf(receipt.place, receipt.claim))
  })
}
