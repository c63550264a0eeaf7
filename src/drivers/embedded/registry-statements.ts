/**
 * What the registry is in SQL: sessions with an end, entries that belong to a session, and a history of
 * changes with one revision per change and no gaps, of which the last `eventsRetained` are kept.
 *
 * Whoever ends a session moves its entries into the history in the same batch, so a snapshot and the
 * events after its revision always fit together. Time is read before the batch is sent and may be old
 * when it runs: then a session that has just ended is still taken for alive, never the reverse.
 */
import type { SqlStatement, SqlValue } from '../../runtime/sql.ts'
import type { KeyRange } from './key-range.ts'

/** Changes kept for watchers that fall behind or resume. */
export const eventsRetained: number = 10_000
/** Entries of a namespace, at most: one snapshot holds them all. */
export const entriesMax: number = 10_000
/** Sessions of a namespace, at most. */
export const sessionsMax: number = 10_000

export const registryTables: string = `
  CREATE TABLE holdfast_registry (
    namespace TEXT PRIMARY KEY,
    boot TEXT NOT NULL,
    revision INTEGER NOT NULL,
    -- Changes up to here are no longer kept.
    compacted INTEGER NOT NULL,
    incarnation INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE holdfast_session (
    namespace TEXT NOT NULL,
    id TEXT NOT NULL,
    incarnation INTEGER NOT NULL,
    owner TEXT NOT NULL,
    expires_ms REAL NOT NULL,
    PRIMARY KEY (namespace, id)
  ) WITHOUT ROWID;
  CREATE INDEX holdfast_session_by_end ON holdfast_session (namespace, expires_ms);
  CREATE TABLE holdfast_entry (
    namespace TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    session TEXT NOT NULL,
    incarnation INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (namespace, key)
  ) WITHOUT ROWID;
  CREATE INDEX holdfast_entry_by_session ON holdfast_entry (namespace, session, key);
  -- A removal has no value and a cause.
  CREATE TABLE holdfast_registry_event (
    namespace TEXT NOT NULL,
    revision INTEGER NOT NULL,
    key TEXT NOT NULL,
    value TEXT,
    session TEXT NOT NULL,
    incarnation INTEGER NOT NULL,
    cause TEXT,
    PRIMARY KEY (namespace, revision)
  ) WITHOUT ROWID;
`

/**
 * Room left in revisions and incarnations at the first start after a boot. A power cut can take back
 * relaxed commits, and with them numbers that were already shown to somebody; those are fewer than
 * this, so no number is ever given twice.
 */
const bootStep = 4_294_967_296n

/**
 * Once after each boot: no session of an earlier boot is alive. The history is cut, so a watcher that
 * resumes from before the boot is told `compacted` and starts from a snapshot. Needs full durability.
 */
export function bootStatements(namespace: string, boot: string): SqlStatement[] {
  const ofEarlierBoot = `namespace = ?1
    AND EXISTS (SELECT 1 FROM holdfast_registry WHERE namespace = ?1 AND boot <> ?2)`
  const parameters = [namespace, boot]
  const clear = (table: string): SqlStatement => ({
    sql: `DELETE FROM ${table} WHERE ${ofEarlierBoot}`,
    parameters,
  })
  return [
    {
      sql: `INSERT INTO holdfast_registry (namespace, boot, revision, compacted, incarnation)
            VALUES (?1, ?2, 0, 0, 0) ON CONFLICT DO NOTHING`,
      parameters,
    },
    clear('holdfast_session'),
    clear('holdfast_entry'),
    clear('holdfast_registry_event'),
    {
      sql: `UPDATE holdfast_registry SET boot = ?2, revision = revision + ?3,
              compacted = revision + ?3, incarnation = incarnation + ?3
            WHERE namespace = ?1 AND boot <> ?2`,
      parameters: [...parameters, bootStep],
    },
  ]
}

export function openSessionStatements(
  namespace: string,
  session: { readonly id: string; readonly owner: string; readonly expiresMs: number },
): SqlStatement[] {
  return [
    {
      sql: `UPDATE holdfast_registry SET incarnation = incarnation + 1
            WHERE namespace = ?1 AND
              (SELECT count(*) FROM holdfast_session WHERE namespace = ?1) < ?2
            RETURNING incarnation`,
      parameters: [namespace, sessionsMax],
      integers: 'bigint',
      expect: 1,
    },
    {
      sql: `INSERT INTO holdfast_session (namespace, id, incarnation, owner, expires_ms)
            SELECT ?1, ?2, incarnation, ?3, ?4 FROM holdfast_registry WHERE namespace = ?1`,
      parameters: [namespace, session.id, session.owner, session.expiresMs],
    },
  ]
}

/** Meets no row if the session was ended meanwhile; one that is late but not ended lives on. */
export function keepAliveStatement(namespace: string, id: string, expiresMs: number): SqlStatement {
  return {
    sql: `UPDATE holdfast_session SET expires_ms = max(expires_ms, ?3)
          WHERE namespace = ?1 AND id = ?2`,
    parameters: [namespace, id, expiresMs],
  }
}

/** Ends sessions that ran out, with their entries. */
export function sweepStatements(namespace: string, nowMs: number): SqlStatement[] {
  const over = 'SELECT id FROM holdfast_session WHERE namespace = ?1 AND expires_ms <= ?2'
  return [
    ...removeEntries(`session IN (${over})`, [namespace, nowMs], 'expired'),
    {
      sql: 'DELETE FROM holdfast_session WHERE namespace = ?1 AND expires_ms <= ?2',
      parameters: [namespace, nowMs],
    },
  ]
}

export function closeSessionStatements(
  namespace: string,
  id: string,
  cause: 'deregistered' | 'expired',
): SqlStatement[] {
  const parameters = [namespace, id]
  return [
    ...removeEntries('session = ?2', parameters, cause),
    { sql: 'DELETE FROM holdfast_session WHERE namespace = ?1 AND id = ?2', parameters },
  ]
}

export function deregisterStatements(namespace: string, id: string, key: string): SqlStatement[] {
  return removeEntries('session = ?2 AND key = ?3', [namespace, id, key], 'deregistered')
}

/** The last statement deletes the entries: its `changes` says how many there were. */
function removeEntries(which: string, parameters: SqlValue[], cause: string): SqlStatement[] {
  const from = `FROM holdfast_entry WHERE namespace = ?1 AND ${which}`
  return [
    {
      sql: `INSERT INTO holdfast_registry_event
              (namespace, revision, key, value, session, incarnation, cause)
            SELECT ?1,
              (SELECT revision FROM holdfast_registry WHERE namespace = ?1)
                + row_number() OVER (ORDER BY key),
              key, NULL, session, incarnation, '${cause}' ${from}`,
      parameters,
    },
    ...countEvents(parameters[0] ?? ''),
    { sql: `DELETE ${from}`, parameters },
  ]
}

/** Moves the revision to the newest event, and forgets the events that are too old. */
function countEvents(namespace: SqlValue): SqlStatement[] {
  const newest = `max(revision, coalesce(
    (SELECT max(revision) FROM holdfast_registry_event WHERE namespace = ?1), 0))`
  return [
    {
      sql: `UPDATE holdfast_registry SET revision = ${newest},
              compacted = max(compacted, ${newest} - ?2)
            WHERE namespace = ?1`,
      parameters: [namespace, eventsRetained],
    },
    {
      sql: `DELETE FROM holdfast_registry_event WHERE namespace = ?1
              AND revision <= (SELECT compacted FROM holdfast_registry WHERE namespace = ?1)`,
      parameters: [namespace],
    },
  ]
}

export interface Registration {
  readonly sessionId: string
  readonly key: string
  readonly value: string
}

/** Where the answers stand, counted from the end of the results of `registerStatements`. */
export const registerAnswers: {
  readonly written: number
  readonly session: number
  readonly entry: number
} = { written: -6, session: -2, entry: -1 }

/** A key that another session owns is refused, even if that session has run out: sweep, and ask again. */
export function registerStatements(namespace: string, entry: Registration): SqlStatement[] {
  const { sessionId, key, value } = entry
  return [
    {
      sql: `INSERT INTO holdfast_entry AS old
              (namespace, key, value, session, incarnation, revision)
            SELECT ?1, ?3, ?4, s.id, s.incarnation, r.revision + 1
            FROM holdfast_session AS s JOIN holdfast_registry AS r ON r.namespace = s.namespace
            WHERE s.namespace = ?1 AND s.id = ?2
              AND (EXISTS (SELECT 1 FROM holdfast_entry WHERE namespace = ?1 AND key = ?3)
                OR (SELECT count(*) FROM holdfast_entry WHERE namespace = ?1) < ?5)
            ON CONFLICT (namespace, key) DO UPDATE SET
              value = excluded.value, revision = excluded.revision
            WHERE old.session = excluded.session
            RETURNING revision`,
      parameters: [namespace, sessionId, key, value, entriesMax],
      integers: 'bigint',
    },
    {
      sql: `INSERT INTO holdfast_registry_event
              (namespace, revision, key, value, session, incarnation)
            SELECT e.namespace, e.revision, e.key, e.value, e.session, e.incarnation
            FROM holdfast_entry AS e JOIN holdfast_registry AS r ON r.namespace = e.namespace
            WHERE e.namespace = ?1 AND e.key = ?2 AND e.revision > r.revision`,
      parameters: [namespace, key],
    },
    ...countEvents(namespace),
    {
      sql: 'SELECT 1 AS alive FROM holdfast_session WHERE namespace = ?1 AND id = ?2',
      parameters: [namespace, sessionId],
    },
    {
      sql: 'SELECT session FROM holdfast_entry WHERE namespace = ?1 AND key = ?2',
      parameters: [namespace, key],
    },
  ]
}

/** Where the registry stands, and which session ends next. */
export function standStatement(namespace: string): SqlStatement {
  return {
    sql: `SELECT revision, compacted,
            (SELECT expires_ms FROM holdfast_session WHERE namespace = ?1
             ORDER BY expires_ms LIMIT 1) AS next_end
          FROM holdfast_registry WHERE namespace = ?1`,
    parameters: [namespace],
    integers: 'bigint',
  }
}

export function entriesStatement(namespace: string, range: KeyRange): SqlStatement {
  return {
    sql: `SELECT key, value, session, incarnation, revision FROM holdfast_entry
          WHERE namespace = ?1 AND key >= ?2 AND key < ?3 ORDER BY key LIMIT ?4 + 0`,
    parameters: [namespace, range.from, range.before, entriesMax],
    integers: 'bigint',
  }
}

export function eventsStatement(
  namespace: string,
  range: KeyRange,
  page: { readonly after: bigint; readonly limit: number },
): SqlStatement {
  return {
    sql: `SELECT revision, key, value, session, incarnation, cause FROM holdfast_registry_event
          WHERE namespace = ?1 AND revision > ?2 AND key >= ?3 AND key < ?4
          ORDER BY revision LIMIT ?5 + 0`,
    parameters: [namespace, page.after, range.from, range.before, page.limit],
    integers: 'bigint',
  }
}
