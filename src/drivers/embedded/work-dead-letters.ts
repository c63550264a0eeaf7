/**
 * Dead letters stay where they died, in another state, so that dying and coming back are one update each.
 * A letter comes back under its old number: before all messages of its key that were published later
 * and are not yet with a consumer. If one of them is, the letter waits until it has been settled.
 */
import type { DeadLetter } from '../../ports/work-store.ts'
import type { SqlOutcome, SqlStatement } from '../../runtime/sql.ts'
import { storedMessage } from './work-claim.ts'
import { rememberNow, type WorkScope, workNow, workQuery, workStatement } from './work-scope.ts'
import { workState } from './work-tables.ts'

const { queued, leased, blocked, dead } = workState

/** A letter brought back this often stays dead: something else than a retry must help it. */
export const redrivesMax: number = 10

const deadLetter = `FROM holdfast_work_message d WHERE d.queue = ?1 AND d.state = ${dead}`

const START = `SELECT max(d.seq) AS seq ${deadLetter} AND d.id = ?2`

const PAGE = `
  SELECT d.id, d.key, d.headers, d.attempt, d.redrives, d.published_ms, d.died_ms, d.reason,
    l.kind, l.priority, b.body
  FROM holdfast_work_message d CROSS JOIN holdfast_work_lane l ON l.id = d.lane
    CROSS JOIN holdfast_work_body b ON b.seq = d.seq
  WHERE d.queue = ?1 AND d.state = ${dead}
    AND d.seq > coalesce((SELECT max(a.seq) FROM holdfast_work_message a
      WHERE a.queue = ?1 AND a.state = ${dead} AND a.id = ?2), 0)
  ORDER BY d.seq LIMIT ?3 + 0`

export function deadLetterStatements(
  queue: number,
  page: { readonly after?: string; readonly limit: number },
): readonly SqlStatement[] {
  const after = page.after ?? null
  return [
    { sql: START, parameters: [queue, after] },
    { sql: PAGE, parameters: [queue, after, page.limit] },
  ].map((statement, index) => (index === 0 ? { ...statement, integers: 'bigint' } : statement))
}

/** @returns `undefined` if the letter to start after is not there. */
export function deadLetters(
  { results }: SqlOutcome,
  after: string | undefined,
): readonly DeadLetter[] | undefined {
  if (after !== undefined && results[0]?.rows[0]?.seq == null) return undefined
  return results[1]?.rows.map((row) => ({
    message: storedMessage(row),
    reason: String(row.reason),
    attempts: Number(row.attempt),
    redrives: Number(row.redrives),
    publishedAtMs: Number(row.published_ms),
    diedAtMs: Number(row.died_ms),
  }))
}

// As many as the queue still has room for.
const chosen = `
  SELECT d.seq, d.key ${deadLetter} AND d.redrives < ${redrivesMax}
    AND d.id IN (SELECT value FROM json_each(?5))
  ORDER BY d.seq
  LIMIT max(0, (SELECT length_max FROM holdfast_work_queue WHERE id = ?1)
    - (SELECT sum(queued + leased + blocked) FROM holdfast_work_lane WHERE queue = ?1))`

// A younger message at the front of its key steps back behind the letter, unless it is in flight.
const STEP_BACK = workQuery(`
  UPDATE holdfast_work_message SET state = ${blocked}
  FROM (SELECT min(seq) AS first, key AS of FROM (${chosen}) WHERE key IS NOT NULL GROUP BY key) c
  WHERE queue = ?1 AND key = c.of AND holdfast_work_message.state <> ${dead}
    AND holdfast_work_message.state = ${queued} AND seq > c.first`)

const REVIVE = workQuery(`
  UPDATE holdfast_work_message SET
    state = CASE WHEN revived.key IS NULL THEN ${queued}
      WHEN revived.nth = 1 AND NOT EXISTS (SELECT 1 FROM holdfast_work_message f
        WHERE f.queue = ?1 AND f.key = revived.key AND f.state <> ${dead}
          AND f.state IN (${queued}, ${leased})) THEN ${queued}
      ELSE ${blocked} END,
    delayed = 0, due_ms = ${workNow}, attempt = 0, redrives = redrives + 1,
    reason = NULL, died_ms = NULL
  FROM (SELECT seq AS at, key, row_number() OVER (PARTITION BY key ORDER BY seq) AS nth
    FROM (${chosen})) revived
  WHERE seq = revived.at`)

const REMEMBER = workQuery(`UPDATE holdfast_work_queue SET ${rememberNow} WHERE id = ?1`)

export function redriveStatements(
  scope: WorkScope,
  ids: readonly string[],
): readonly SqlStatement[] {
  const list = JSON.stringify(ids)
  return [
    workStatement(scope, STEP_BACK, [list]),
    workStatement(scope, REVIVE, [list]),
    workStatement(scope, REMEMBER),
  ]
}

export function redriven({ results }: SqlOutcome): number {
  return results[1]?.changes ?? 0
}
