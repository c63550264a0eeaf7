/**
 * Publication, as one batch: ids are put down first, and only messages whose id was new follow. The last
 * statement is the gate: if the queue would be longer than allowed, it meets no row and everything is
 * undone. The messages travel as one JSON list, so a batch of a thousand is as many statements as one.
 */
import type { WorkMessage } from '../../ports/work-store.ts'
import type { SqlOutcome, SqlStatement } from '../../runtime/sql.ts'
import {
  nextSeq,
  placeOf,
  rememberNow,
  type WorkScope,
  workNow,
  workQuery,
  workStatement,
} from './work-scope.ts'
import { workState } from './work-tables.ts'

const { queued, blocked, dead } = workState

/** Of a message that names none, and of every message with a key. */
export const priorityDefault: number = 5

/** Old ids leave twice as fast as new ones come. */
const FORGET = workQuery(`
  DELETE FROM holdfast_work_seen WHERE queue = ?1 AND id IN (
    SELECT id FROM holdfast_work_seen WHERE queue = ?1 AND expires_ms <= ${workNow}
    ORDER BY expires_ms, id LIMIT ?5 + 0)`)

const LANES = workQuery(`
  INSERT INTO holdfast_work_lane (queue, kind, priority)
  SELECT DISTINCT ?1, value ->> 1, value ->> 2 FROM json_each(?5) WHERE true
  ON CONFLICT DO NOTHING`)

// An id whose horizon has passed is taken over; one that has not stays with its first message.
const SEEN = workQuery(`
  INSERT INTO holdfast_work_seen AS seen (queue, id, seq, expires_ms)
  SELECT ?1, m.value ->> 0, ${nextSeq} + m.key, ${workNow} + q.dedup_ms
  FROM holdfast_work_queue q CROSS JOIN json_each(?5) m
  WHERE q.id = ?1 AND q.dedup_ms > 0
  ORDER BY m.key
  ON CONFLICT (queue, id) DO UPDATE SET seq = excluded.seq, expires_ms = excluded.expires_ms
    WHERE seen.expires_ms <= ${workNow}`)

/** Blocked behind an older message of the key, stored before or earlier in this list. */
const keyedState = `CASE WHEN key IS NOT NULL AND (
    row_number() OVER (PARTITION BY key ORDER BY seq) > 1
    OR EXISTS (SELECT 1 FROM holdfast_work_message f
      WHERE f.queue = ?1 AND f.key = fresh.key AND f.state <> ${dead})
  ) THEN ${blocked} ELSE ${queued} END`

const messages = (state: string): string => `
  INSERT INTO holdfast_work_message
    (seq, queue, lane, state, delayed, due_ms, published_ms, id, key, headers)
  SELECT seq, ?1, lane, ${state}, delay > 0, now + delay, now, id, key, headers
  FROM (
    SELECT ${nextSeq} + m.key AS seq, l.id AS lane, m.value ->> 0 AS id, m.value ->> 3 AS key,
      m.value ->> 4 AS delay, m.value ->> 5 AS headers, ${workNow} AS now, q.dedup_ms AS dedup
    FROM holdfast_work_queue q CROSS JOIN json_each(?5) m
    CROSS JOIN holdfast_work_lane l
      ON l.queue = ?1 AND l.kind = m.value ->> 1 AND l.priority = m.value ->> 2
    WHERE q.id = ?1
  ) fresh
  WHERE dedup = 0 OR EXISTS (
    SELECT 1 FROM holdfast_work_seen s WHERE s.queue = ?1 AND s.id = fresh.id AND s.seq = fresh.seq)
  RETURNING ${placeOf('seq')} AS place`
const KEYED = workQuery(messages(keyedState))
const UNKEYED = workQuery(messages(`${queued}`))

const BODIES = workQuery(`
  INSERT INTO holdfast_work_body (seq, body)
  SELECT ${nextSeq} + b.key, b.value
  FROM holdfast_work_queue q CROSS JOIN json_each(?5) b
  WHERE q.id = ?1
    AND EXISTS (SELECT 1 FROM holdfast_work_message m WHERE m.seq = ${nextSeq} + b.key)`)

const unsettled = `
  (SELECT sum(queued + leased + blocked) FROM holdfast_work_lane WHERE queue = ?1)`
const excess = `
  max(0, ${unsettled} - (SELECT length_max FROM holdfast_work_queue WHERE id = ?1))`

// The oldest that are due make room; never one of this publication, never one in flight.
const MAKE_ROOM = workQuery(`
  DELETE FROM holdfast_work_message WHERE seq IN (
    SELECT m.seq FROM holdfast_work_queue q CROSS JOIN holdfast_work_lane l
    CROSS JOIN holdfast_work_message m ON m.seq IN (
      SELECT c.seq FROM holdfast_work_message c
      WHERE c.lane = l.id AND c.state = ${queued} AND c.due_ms <= ${workNow} AND c.seq < ${nextSeq}
      ORDER BY c.due_ms, c.seq LIMIT ${excess})
    WHERE q.id = ?1 AND q.drops_oldest = 1 AND l.queue = ?1 AND ${excess} > 0
    ORDER BY m.due_ms, m.seq LIMIT ${excess})`)

const GATE = workQuery(`
  UPDATE holdfast_work_queue SET next_place = next_place + ?5, ${rememberNow}
  WHERE id = ?1 AND coalesce(${unsettled}, 0) <= length_max
  RETURNING next_place`)

export interface PublishOptions {
  /** Give back the space of old ids: not every time, each time for more. */
  readonly forget: boolean
  /** Drop the oldest if the queue is full and its limits say so. Without, a full queue refuses. */
  readonly makeRoom: boolean
}

/** One publication in this many gives back the space of old ids. */
export const forgetEvery: number = 16

export interface PublishBatch {
  readonly statements: readonly SqlStatement[]
  /** @returns `undefined` if the queue is full. */
  readonly answer: (outcome: SqlOutcome) => Published | undefined
}

export interface Published {
  readonly results: readonly ('stored' | 'duplicate')[]
  readonly dropped: number
}

export function publishBatch(
  scope: WorkScope,
  list: readonly WorkMessage[],
  { forget, makeRoom }: PublishOptions,
): PublishBatch {
  const rows = JSON.stringify(
    list.map(({ id, kind, priority = priorityDefault, key = null, delayMs = 0, headers }) => [
      id,
      kind,
      priority,
      key,
      delayMs,
      headers === undefined ? null : JSON.stringify(headers),
    ]),
  )
  const bodies = JSON.stringify(list.map(({ body }) => storedBody(body)))
  const keyed = list.some(({ key }) => key !== undefined)
  const statements = [
    workStatement(scope, LANES, [rows]),
    workStatement(scope, SEEN, [rows]),
    workStatement(scope, keyed ? KEYED : UNKEYED, [rows]),
    workStatement(scope, BODIES, [bodies]),
    ...(forget ? [workStatement(scope, FORGET, [2 * forgetEvery * list.length])] : []),
    ...(makeRoom ? [workStatement(scope, MAKE_ROOM)] : []),
    { ...workStatement(scope, GATE, [list.length]), expect: 1 },
  ]
  return { statements, answer: (outcome) => published(outcome, list.length, makeRoom) }
}

function published(
  { results, refusedAt }: SqlOutcome,
  count: number,
  madeRoom: boolean,
): Published | undefined {
  if (refusedAt !== undefined) return undefined
  const [, , messages] = results
  const first = Number(results.at(-1)?.rows[0]?.next_place) - count
  const stored = new Set(messages?.rows.map(({ place }) => Number(place) - first))
  return {
    results: Array.from({ length: count }, (_, index) =>
      stored.has(index) ? 'stored' : 'duplicate',
    ),
    dropped: madeRoom ? (results.at(-2)?.changes ?? 0) : 0,
  }
}

/**
 * SQLite ends a text at a NUL character, so a body with one is stored as JSON. The first character says
 * which, and is the format version of bodies.
 */
function storedBody(body: string): string {
  return body.includes('\0') ? `j${JSON.stringify(body)}` : `t${body}`
}

export function bodyOf(stored: string): string {
  return stored.startsWith('j') ? String(JSON.parse(stored.slice(1))) : stored.slice(1)
}
