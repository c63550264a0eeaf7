/**
 * Depth by state. Lanes count queued, leased and blocked messages; time moves the border between
 * delayed and ready and between leased and expired without telling anybody, so two small ranges of an
 * index are counted besides: delays that are over but unclaimed, and leases that have run out.
 */
import type { QueueStats } from '../../ports/work-store.ts'
import type { SqlOutcome, SqlRow, SqlStatement } from '../../runtime/sql.ts'
import { type WorkScope, workNow, workQuery, workStatement } from './work-scope.ts'
import { workState } from './work-tables.ts'

const { queued, leased } = workState

const LANES = `
  SELECT id, kind, queued, leased, blocked, dead, delayed FROM holdfast_work_lane
  WHERE queue = ?1 ORDER BY id`

const RIPE = workQuery(`
  SELECT lane, count(*) AS messages FROM holdfast_work_message
  WHERE queue = ?1 AND state = ${queued} AND delayed = 1 AND due_ms <= ${workNow}
  GROUP BY lane ORDER BY lane`)

const expiredIn = (range: string): string => `
  SELECT lane FROM holdfast_work_message WHERE queue = ?1 AND state = ${leased} AND ${range}`
const EXPIRED = workQuery(`
  SELECT lane, count(*) AS messages FROM (
    ${expiredIn('lease_boot = ?4 AND lease_until_ms <= ?3')}
    UNION ALL ${expiredIn('lease_boot < ?4')}
    UNION ALL ${expiredIn('lease_boot > ?4')})
  GROUP BY lane ORDER BY lane`)

// A delivery that ran out waits since then; under another boot nobody knows how long.
const TOTALS = workQuery(`
  SELECT q.dropped, q.redelivered, max(0,
    ${workNow} - coalesce(
      (SELECT min((SELECT m.due_ms FROM holdfast_work_message m
          WHERE m.lane = l.id AND m.state = ${queued} ORDER BY m.due_ms LIMIT 1))
        FROM holdfast_work_lane l WHERE l.queue = ?1 AND l.queued > 0), ${workNow}),
    ?3 - coalesce(
      (SELECT lease_until_ms FROM holdfast_work_message
        WHERE queue = ?1 AND state = ${leased} AND lease_boot = ?4
        ORDER BY lease_until_ms LIMIT 1), ?3)) AS oldest_ms
  FROM holdfast_work_queue q WHERE q.id = ?1`)

export function statsStatements(scope: WorkScope): readonly SqlStatement[] {
  return [
    { sql: LANES, parameters: [scope.queue] },
    workStatement(scope, RIPE),
    workStatement(scope, EXPIRED),
    workStatement(scope, TOTALS),
  ]
}

const kindsShownMax = 100

export function queueStats({ results }: SqlOutcome): QueueStats {
  const [lanes, ripe, expired, totals] = results
  const ripeOf = countsByLane(ripe?.rows)
  const expiredOf = countsByLane(expired?.rows)
  const sums = { ready: 0, delayed: 0, inFlight: 0, blocked: 0, dead: 0 }
  const readyByKind = new Map<string, number>()
  for (const lane of lanes?.rows ?? []) {
    const lapsed = expiredOf.get(lane.id) ?? 0
    const delayed = Number(lane.delayed) - (ripeOf.get(lane.id) ?? 0)
    const ready = Number(lane.queued) - delayed + lapsed
    sums.ready += ready
    sums.delayed += delayed
    sums.inFlight += Number(lane.leased) - lapsed
    sums.blocked += Number(lane.blocked)
    sums.dead += Number(lane.dead)
    const kind = String(lane.kind)
    if (ready > 0) readyByKind.set(kind, (readyByKind.get(kind) ?? 0) + ready)
  }
  const kinds = [...readyByKind].sort(([a, left], [b, right]) => right - left || (a < b ? -1 : 1))
  const [row] = totals?.rows ?? []
  return {
    ...sums,
    oldestReadyMs: Number(row?.oldest_ms),
    readyByKind: Object.fromEntries(kinds.slice(0, kindsShownMax)),
    droppedTotal: Number(row?.dropped),
    redeliveredTotal: Number(row?.redelivered),
  }
}

function countsByLane(rows: readonly SqlRow[] = []): ReadonlyMap<unknown, number> {
  return new Map(rows.map(({ lane, messages }) => [lane, Number(messages)]))
}
