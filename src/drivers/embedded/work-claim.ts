/**
 * A claim, as one batch: deliveries whose lease ran out go back to the queue, then the first ready
 * messages are leased, their attempts counted in the same commit. The order is priority, due time,
 * publication: each lane (one kind, one priority) offers its first few from an index, and the best of
 * those are taken, so the cost depends on the limit and the lanes asked, not on the length of the queue.
 *
 * `LIMIT ?6 + 0`, here and in all statements: SQLite from 3.47 plans by the value of a bare `LIMIT ?6`, and so
 * prepares the statement again each time it is bound, which costs more than running it.
 */
import type { ClaimRequest, Delivery, WorkMessage } from '../../ports/work-store.ts'
import type { SqlOutcome, SqlRow, SqlStatement } from '../../runtime/sql.ts'
import { bodyOf, priorityDefault } from './work-publish.ts'
import {
  placeOf,
  receiptText,
  rememberNow,
  type WorkScope,
  workNow,
  workQuery,
  workStatement,
} from './work-scope.ts'
import { workState } from './work-tables.ts'

const { queued, leased } = workState

// Three ranges of one index: this boot's leases that have run out, and all of other boots.
const expired = (range: string): string => `
  SELECT * FROM (
    SELECT seq, lease_until_ms FROM holdfast_work_message
    WHERE queue = ?1 AND state = ${leased} AND ${range}
    ORDER BY lease_boot, lease_until_ms, seq LIMIT ?5 + 0)`

const REQUEUE = workQuery(`
  UPDATE holdfast_work_message SET state = ${queued}, delayed = 0,
    lease_boot = NULL, lease_until_ms = NULL
  WHERE seq IN (SELECT seq FROM (
    ${expired('lease_boot = ?4 AND lease_until_ms <= ?3')}
    UNION ALL ${expired('lease_boot < ?4')}
    UNION ALL ${expired('lease_boot > ?4')}))`)

const CLAIM = workQuery(`
  UPDATE holdfast_work_message SET state = ${leased}, attempt = attempt + 1, claim = ?8,
    lease_boot = ?4, lease_until_ms = ?3 + ?7
  WHERE seq IN (
    SELECT m.seq FROM holdfast_work_lane l CROSS JOIN holdfast_work_message m ON m.seq IN (
      SELECT c.seq FROM holdfast_work_message c
      WHERE c.lane = l.id AND c.state = ${queued} AND c.due_ms <= ${workNow}
      ORDER BY c.due_ms, c.seq LIMIT ?6 + 0)
    WHERE l.queue = ?1 AND l.queued > 0 AND l.kind IN (SELECT value FROM json_each(?5))
    ORDER BY l.priority, m.due_ms, m.seq LIMIT ?6 + 0)
  RETURNING ${placeOf('seq')} AS place, id, key, headers, attempt, due_ms,
    (SELECT priority || kind FROM holdfast_work_lane l WHERE l.id = lane) AS lane,
    (SELECT body FROM holdfast_work_body b WHERE b.seq = holdfast_work_message.seq) AS body`)

// Only if something was claimed: an empty claim changes nothing, so it costs no commit.
const REMEMBER = workQuery(`
  UPDATE holdfast_work_queue SET ${rememberNow}
  WHERE id = ?1 AND EXISTS (
    SELECT 1 FROM holdfast_work_message
    WHERE queue = ?1 AND state = ${leased} AND lease_boot = ?4 AND lease_until_ms = ?3 + ?5
      AND claim = ?6)`)

// In how long something may be ready: the next due time of each lane asked, the next end of a lease.
const OUTLOOK = workQuery(`
  SELECT ${workNow} AS now,
    (SELECT min((SELECT c.due_ms FROM holdfast_work_message c
        WHERE c.lane = l.id AND c.state = ${queued} ORDER BY c.due_ms LIMIT 1))
      FROM holdfast_work_lane l
      WHERE l.queue = ?1 AND l.queued > 0 AND l.kind IN (SELECT value FROM json_each(?5))
    ) - ${workNow} AS due_in,
    (SELECT lease_until_ms FROM holdfast_work_message
      WHERE queue = ?1 AND state = ${leased} AND lease_boot = ?4
      ORDER BY lease_until_ms LIMIT 1) - ?3 AS expires_in`)

/** Expired deliveries put back by one claim, at least: after a crash there may be many. */
const requeuedMin = 100

export function claimStatements(
  scope: WorkScope,
  { limit, leaseMs, kinds }: ClaimRequest,
  claim: string,
): readonly SqlStatement[] {
  const kindList = JSON.stringify(kinds)
  return [
    workStatement(scope, REQUEUE, [Math.max(requeuedMin, limit)]),
    workStatement(scope, CLAIM, [kindList, limit, leaseMs, claim]),
    workStatement(scope, REMEMBER, [leaseMs, claim]),
    workStatement(scope, OUTLOOK, [kindList]),
  ]
}

const answers = { requeued: 0, claimed: 1, outlook: 3 } as const

export interface Claimed {
  readonly deliveries: readonly Delivery[]
  /** Deliveries of others that had expired and were put back. */
  readonly requeued: number
  /** When there may be more to claim. Absent: nothing is known to fall due. */
  readonly nextInMs?: number
}

export function claimed({ results }: SqlOutcome, claim: string, validUntilMs: number): Claimed {
  const rows = (results[answers.claimed]?.rows ?? []).map(withLane).sort(inOrder)
  const outlook = results[answers.outlook]?.rows[0]
  const next = [outlook?.due_in, outlook?.expires_in].filter((at) => typeof at === 'number')
  return {
    deliveries: rows.map((row) => ({
      ...delivery(row, claim, validUntilMs),
      waitedMs: Math.max(0, Number(outlook?.now) - Number(row.due_ms)),
    })),
    requeued: results[answers.requeued]?.changes ?? 0,
    ...(next.length === 0 ? {} : { nextInMs: Math.max(0, Math.min(...next)) }),
  }
}

/** One digit of priority, then the kind: one look at the lane instead of two. */
function withLane(row: SqlRow): SqlRow {
  const lane = String(row.lane)
  return { ...row, priority: Number(lane[0]), kind: lane.slice(1) }
}

// SQLite returns changed rows in no particular order.
function inOrder(left: SqlRow, right: SqlRow): number {
  return (
    Number(left.priority) - Number(right.priority) ||
    Number(left.due_ms) - Number(right.due_ms) ||
    Number(left.place) - Number(right.place)
  )
}

function delivery(row: SqlRow, claim: string, validUntilMs: number): Omit<Delivery, 'waitedMs'> {
  const message = storedMessage(row)
  const keyed = message.key !== undefined
  return {
    message,
    receipt: receiptText({ place: Number(row.place), claim, keyed }),
    attempt: Number(row.attempt),
    validUntilMs,
  }
}

/** The message as it was published, without the delay that is behind it. */
export function storedMessage(row: SqlRow): WorkMessage {
  const { id, kind, key, headers, priority, body } = row
  return {
    id: String(id),
    kind: String(kind),
    body: bodyOf(String(body)),
    ...(headers == null ? {} : { headers: JSON.parse(String(headers)) as Record<string, string> }),
    ...(key == null ? {} : { key: String(key) }),
    ...(priority === priorityDefault ? {} : { priority: Number(priority) }),
  }
}
