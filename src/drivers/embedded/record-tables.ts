/**
 * Where records live. One sequence per namespace numbers all writes, so a record that is deleted and
 * made again gets a higher version than it ever had, without a tombstone.
 */
import { clockColumns } from './due-clock.ts'

export const recordTables: string = `
  -- One row per namespace: the last version given out, and the clock of due times.
  CREATE TABLE holdfast_record_sequence (
    namespace TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    ${clockColumns}
  ) STRICT, WITHOUT ROWID;

  -- Values may be large, so rows are kept apart from the index that finds them.
  CREATE TABLE holdfast_record (
    place INTEGER PRIMARY KEY,
    namespace TEXT NOT NULL,
    space TEXT NOT NULL,
    key TEXT NOT NULL,
    version INTEGER NOT NULL,
    due_ms INTEGER,
    expires_ms INTEGER,
    value TEXT NOT NULL,
    UNIQUE (namespace, space, key)
  ) STRICT;
  CREATE INDEX holdfast_record_by_due
    ON holdfast_record (namespace, space, due_ms, key) WHERE due_ms IS NOT NULL;
  CREATE INDEX holdfast_record_by_expiry
    ON holdfast_record (namespace, expires_ms) WHERE expires_ms IS NOT NULL;

  CREATE TABLE holdfast_record_counter (
    namespace TEXT NOT NULL,
    space TEXT NOT NULL,
    key TEXT NOT NULL,
    value INTEGER NOT NULL,
    PRIMARY KEY (namespace, space, key)
  ) STRICT, WITHOUT ROWID;
`
