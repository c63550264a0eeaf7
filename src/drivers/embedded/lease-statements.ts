/**
 * What leases are in SQL. A name is one row that outlives its leases, so that the token never starts
 * again; a line of waiters is rows with a rising place. Each question is one batch, decided where the
 * data is.
 *
 * Time is the machine's monotonic clock, shared by all processes of one boot, and read before the
 * batch is sent. A reading can therefore be old by the time the batch runs, which errs on the safe
 * side: an old reading refuses a name that has just expired, never grants one that has not, and gives
 * the new lease an earlier end, not a later one. Of two rows only those of this boot can be alive:
 * every process of another boot is dead.
 */
import type { SqlStatement, SqlValue } from '../../runtime/sql.ts'

/** Waiters of one name, at most. */
export const leaseWaitersMax: number = 10_000

/** Free names are forgotten this long after their end, by the monotonic clock. */
export const leaseFreeRetainMs: number = 600_000

/** Free names forgotten by one sweep, at most: it rides on an acquisition and must stay short. */
const sweepMax = 128

export const leaseTables: string = `
  -- One row per name. A free name has no attempt. Tokens only grow.
  CREATE TABLE holdfast_lease (
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    token INTEGER NOT NULL,
    attempt TEXT,
    holder TEXT NOT NULL,
    boot TEXT NOT NULL,
    expires_ms REAL NOT NULL,
    ttl_ms REAL NOT NULL,
    PRIMARY KEY (namespace, name)
  ) WITHOUT ROWID;
  CREATE INDEX holdfast_lease_by_end ON holdfast_lease (namespace, expires_ms);
  -- The largest token among the names forgotten so far: where a name without a row starts.
  CREATE TABLE holdfast_lease_floor (
    namespace TEXT PRIMARY KEY,
    token INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE holdfast_lease_waiter (
    place INTEGER PRIMARY KEY,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    attempt TEXT NOT NULL,
    boot TEXT NOT NULL,
    expires_ms REAL NOT NULL,
    UNIQUE (namespace, name, attempt)
  );
  CREATE INDEX holdfast_lease_waiter_line ON holdfast_lease_waiter (namespace, name, place);
  CREATE INDEX holdfast_lease_waiter_by_end ON holdfast_lease_waiter (namespace, expires_ms);
`

/** What every statement about leases needs to know. */
export interface LeaseScope {
  readonly namespace: string
  readonly boot: string
  /** Read before the batch is sent. */
  readonly nowMs: number
}

export interface LeaseAsk {
  readonly name: string
  readonly attemptId: string
  readonly holder: string
  readonly ttlMs: number
  readonly queueForMs: number | undefined
  /** Forget some long free names on the way. */
  readonly sweep: boolean
}

/** Where the answers stand among the results of `acquireStatements`. */
export const acquireAnswers: { readonly lease: number; readonly inLine: number } = {
  lease: 4,
  inLine: 5,
}

export function acquireStatements(scope: LeaseScope, ask: LeaseAsk): SqlStatement[] {
  const { namespace, boot, nowMs } = scope
  const { name, attemptId, holder, ttlMs } = ask
  const statements: SqlStatement[] = [
    {
      sql: `DELETE FROM holdfast_lease_waiter WHERE namespace = ?1 AND expires_ms <= ?2`,
      parameters: [namespace, nowMs],
    },
    { sql: take, parameters: [namespace, name, attemptId, boot, nowMs, ttlMs, holder] },
    // No place asked for: a place that never begins, so that the batch keeps its shape.
    {
      sql: stand,
      parameters: [namespace, name, attemptId, boot, nowMs, ask.queueForMs ?? 0, leaseWaitersMax],
    },
    { sql: leaveOnceHeld, parameters: [namespace, name, attemptId, boot, nowMs] },
    {
      sql: `SELECT token, expires_ms, ttl_ms FROM holdfast_lease WHERE ${heldByAttempt}`,
      parameters: [namespace, name, attemptId, boot, nowMs],
      integers: 'bigint',
    },
    {
      sql: `SELECT place FROM holdfast_lease_waiter
            WHERE namespace = ?1 AND name = ?2 AND attempt = ?3`,
      parameters: [namespace, name, attemptId],
    },
  ]
  if (ask.sweep) statements.push(...sweepStatements(scope))
  return statements
}

const heldByAttempt = `namespace = ?1 AND name = ?2 AND attempt = ?3 AND boot = ?4
  AND expires_ms > ?5`

// The name is taken if it was never leased, is free, or its lease is over, and nobody stands ahead. A
// row of this very attempt that still holds is left alone: the answer below finds it as it is.
const take = `
  INSERT INTO holdfast_lease AS held
    (namespace, name, token, attempt, holder, boot, expires_ms, ttl_ms)
  SELECT ?1, ?2,
    1 + coalesce((SELECT token FROM holdfast_lease_floor WHERE namespace = ?1), 0),
    ?3, ?7, ?4, ?5 + ?6, ?6
  WHERE NOT EXISTS (
    SELECT 1 FROM holdfast_lease_waiter
    WHERE namespace = ?1 AND name = ?2 AND boot = ?4 AND attempt <> ?3
      AND place < coalesce(
        (SELECT place FROM holdfast_lease_waiter
         WHERE namespace = ?1 AND name = ?2 AND attempt = ?3),
        9223372036854775807))
  ON CONFLICT (namespace, name) DO UPDATE SET
    token = held.token + 1,
    attempt = excluded.attempt,
    holder = excluded.holder,
    boot = excluded.boot,
    expires_ms = excluded.expires_ms,
    ttl_ms = excluded.ttl_ms
  WHERE held.attempt IS NULL OR held.boot <> excluded.boot OR held.expires_ms <= ?5`

const stand = `
  INSERT INTO holdfast_lease_waiter (namespace, name, attempt, boot, expires_ms)
  SELECT ?1, ?2, ?3, ?4, ?5 + ?6
  WHERE ?6 > 0
    AND NOT EXISTS (SELECT 1 FROM holdfast_lease WHERE ${heldByAttempt})
    AND (
      EXISTS (SELECT 1 FROM holdfast_lease_waiter
              WHERE namespace = ?1 AND name = ?2 AND attempt = ?3)
      OR (SELECT count(*) FROM holdfast_lease_waiter WHERE namespace = ?1 AND name = ?2) < ?7)
  ON CONFLICT (namespace, name, attempt) DO UPDATE SET
    expires_ms = max(expires_ms, excluded.expires_ms),
    boot = excluded.boot`

const leaveOnceHeld = `
  DELETE FROM holdfast_lease_waiter
  WHERE namespace = ?1 AND name = ?2 AND attempt = ?3
    AND EXISTS (SELECT 1 FROM holdfast_lease WHERE ${heldByAttempt})`

/** The lease of exactly this token and attempt, still alive. */
const stillHeld = `namespace = ?1 AND name = ?2 AND token = ?3 AND attempt = ?4 AND boot = ?5
  AND expires_ms > ?6`

export interface LeaseKey {
  readonly name: string
  readonly token: bigint
  readonly attemptId: string
}

export function renewStatement(scope: LeaseScope, lease: LeaseKey, ttlMs: number): SqlStatement {
  return {
    sql: `UPDATE holdfast_lease SET
            ttl_ms = CASE WHEN ?6 + ?7 > expires_ms THEN ?7 ELSE ttl_ms END,
            expires_ms = max(expires_ms, ?6 + ?7)
          WHERE ${stillHeld} RETURNING expires_ms, ttl_ms`,
    parameters: [...keyOf(scope, lease), ttlMs],
  }
}

export function releaseStatement(scope: LeaseScope, lease: LeaseKey): SqlStatement {
  return {
    sql: `UPDATE holdfast_lease SET attempt = NULL, holder = '', expires_ms = ?6
          WHERE ${stillHeld}`,
    parameters: keyOf(scope, lease),
  }
}

function keyOf(scope: LeaseScope, lease: LeaseKey): SqlValue[] {
  const { name, token, attemptId } = lease
  return [scope.namespace, name, token, attemptId, scope.boot, scope.nowMs]
}

export function evictStatement(scope: LeaseScope, name: string): SqlStatement {
  return {
    sql: `UPDATE holdfast_lease SET attempt = NULL, holder = '', expires_ms = ?4
          WHERE namespace = ?1 AND name = ?2 AND attempt IS NOT NULL AND boot = ?3
            AND expires_ms > ?4`,
    parameters: [scope.namespace, name, scope.boot, scope.nowMs],
  }
}

export function withdrawStatement(
  namespace: string,
  name: string,
  attemptId: string,
): SqlStatement {
  return {
    sql: `DELETE FROM holdfast_lease_waiter WHERE namespace = ?1 AND name = ?2 AND attempt = ?3`,
    parameters: [namespace, name, attemptId],
  }
}

export function listStatement(
  scope: LeaseScope,
  range: { readonly from: SqlValue; readonly before: SqlValue; readonly after: SqlValue },
  limit: number,
): SqlStatement {
  return {
    sql: `SELECT name, token, holder, expires_ms,
            (SELECT count(*) FROM holdfast_lease_waiter AS w
             WHERE w.namespace = l.namespace AND w.name = l.name AND w.boot = ?2
               AND w.expires_ms > ?3) AS waiters
          FROM holdfast_lease AS l
          WHERE namespace = ?1 AND name >= ?4 AND name < ?5 AND name > ?6
            AND attempt IS NOT NULL AND boot = ?2 AND expires_ms > ?3
          ORDER BY name LIMIT ?7 + 0`,
    parameters: [
      scope.namespace,
      scope.boot,
      scope.nowMs,
      range.from,
      range.before,
      range.after,
      limit,
    ],
    integers: 'bigint',
  }
}

/** Until when the name is held, if it is; who stands first, if anybody; and until when. */
export function outlookStatement(scope: LeaseScope, name: string): SqlStatement {
  const first = (column: string): string => `
    (SELECT ${column} FROM holdfast_lease_waiter
     WHERE namespace = ?1 AND name = ?2 AND boot = ?3 AND expires_ms > ?4
     ORDER BY place LIMIT 1)`
  return {
    sql: `SELECT
            (SELECT expires_ms FROM holdfast_lease
             WHERE namespace = ?1 AND name = ?2 AND boot = ?3 AND attempt IS NOT NULL
               AND expires_ms > ?4) AS held_until,
            ${first('attempt')} AS first,
            ${first('expires_ms')} AS first_until`,
    parameters: [scope.namespace, name, scope.boot, scope.nowMs],
  }
}

/**
 * Forgets the names that have been free longest. Their largest token becomes the floor on which any
 * name without a row starts, so the tokens of a name grow even across being forgotten.
 */
function sweepStatements({ namespace, nowMs }: LeaseScope): SqlStatement[] {
  const oldest = (column: string): string => `
    SELECT ${column} FROM holdfast_lease
    WHERE namespace = ?1 AND expires_ms <= ?2 ORDER BY expires_ms, name LIMIT ?3 + 0`
  const parameters = [namespace, nowMs - leaseFreeRetainMs, sweepMax]
  return [
    { sql: foldInto(oldest('token')), parameters },
    {
      sql: `DELETE FROM holdfast_lease WHERE namespace = ?1 AND name IN (${oldest('name')})`,
      parameters,
    },
  ]
}

/** Once after each boot: everything of earlier boots is over, and its monotonic times mean nothing. */
export function bootStatements(namespace: string, boot: string): SqlStatement[] {
  const foreign = 'FROM holdfast_lease WHERE namespace = ?1 AND boot <> ?2'
  const parameters = [namespace, boot]
  return [
    { sql: foldInto(`SELECT token ${foreign}`), parameters },
    { sql: `DELETE ${foreign}`, parameters },
    {
      sql: 'DELETE FROM holdfast_lease_waiter WHERE namespace = ?1 AND boot <> ?2',
      parameters,
    },
  ]
}

function foldInto(tokens: string): string {
  return `
    INSERT INTO holdfast_lease_floor (namespace, token)
    SELECT ?1, largest FROM (SELECT max(token) AS largest FROM (${tokens}))
    WHERE largest IS NOT NULL
    ON CONFLICT (namespace) DO UPDATE SET token = max(token, excluded.token)`
}
