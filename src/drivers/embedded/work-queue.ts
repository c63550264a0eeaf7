/** A queue's own row: its limits, its number, its clock. Declared again, it takes the new limits. */
import type { QueueLimits } from '../../ports/work-store.ts'
import type { SqlStatement } from '../../runtime/sql.ts'
import { queuesMax } from './work-tables.ts'

const DECLARE = `
  INSERT INTO holdfast_work_queue (namespace, name, length_max, drops_oldest, dedup_ms)
  SELECT ?1, ?2, ?3, ?4, ?5
  WHERE EXISTS (SELECT 1 FROM holdfast_work_queue WHERE namespace = ?1 AND name = ?2)
    OR (SELECT count(*) FROM holdfast_work_queue) < ${queuesMax}
  ON CONFLICT (namespace, name) DO UPDATE SET
    length_max = excluded.length_max, drops_oldest = excluded.drops_oldest,
    dedup_ms = excluded.dedup_ms
  RETURNING id`

/** Kinds come and go with releases; a lane that is empty at a start has gone. */
const FORGET_LANES = `
  DELETE FROM holdfast_work_lane
  WHERE queue = (SELECT id FROM holdfast_work_queue WHERE namespace = ?1 AND name = ?2)
    AND queued = 0 AND leased = 0 AND blocked = 0 AND dead = 0`

const FIND = 'SELECT id FROM holdfast_work_queue WHERE namespace = ?1 AND name = ?2'

export function declareStatements(
  namespace: string,
  queue: string,
  { lengthMax, overflow, dedupMs }: QueueLimits,
): readonly SqlStatement[] {
  const dropsOldest = overflow === 'drop-oldest' ? 1 : 0
  return [
    {
      sql: DECLARE,
      parameters: [namespace, queue, lengthMax, dropsOldest, dedupMs],
      expect: 1,
    },
    { sql: FORGET_LANES, parameters: [namespace, queue] },
  ]
}

export function findStatement(namespace: string, queue: string): SqlStatement {
  return { sql: FIND, parameters: [namespace, queue] }
}
