/**
 * Where work lives, and the three rules that the tables keep by themselves, whoever changes a row:
 *
 * 1. **Counters are true.** Messages of one queue, kind and priority form a lane; the lane counts them by
 *    state, so that depth is read from a few rows, however long the queue.
 * 2. **One front per key.** Of the messages of one key only the oldest is queued or leased; the others
 *    are blocked. When the front leaves (done, dead, dropped), the next one becomes the front.
 * 3. **A body goes with its message.**
 *
 * A message's number holds its queue in the high bits and its place in the order of publication in the
 * low ones. Numbers are never used twice: a queue remembers the next.
 */
import { clockColumns } from './due-clock.ts'

/** Bits of a message's number that count within its queue: enough for 10,000 a second for 27 years. */
export const placeBits: number = 43

/** Queues in one file, at most. */
export const queuesMax: number = 10_000

/** Pairs of kind and priority in one queue, at most: each claim asks every lane it may take from. */
export const lanesMax: number = 1_000

/** Dead letters kept per queue; beyond, the oldest are dropped and counted. */
export const deadLettersMax: number = 100_000

/** The states of a message, as stored. */
export const workState = {
  /** At the front of its key (or without one): claimed as soon as it is due. */
  queued: 0,
  /** With a consumer, until settled or expired. */
  leased: 1,
  /** Behind another message of its key. */
  blocked: 2,
  dead: 3,
} as const

const { queued, leased, blocked, dead } = workState

const step = (state: number): string => `+ (NEW.state = ${state}) - (OLD.state = ${state})`

const unblockNext = `
    UPDATE holdfast_work_message SET state = ${queued}
    WHERE seq = (
      SELECT min(seq) FROM holdfast_work_message
      WHERE queue = OLD.queue AND key = OLD.key AND state <> ${dead} AND state = ${blocked});`

export const workTables: string = `
  CREATE TABLE holdfast_work_queue (
    id INTEGER PRIMARY KEY,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    length_max INTEGER NOT NULL,
    drops_oldest INTEGER NOT NULL,
    dedup_ms INTEGER NOT NULL,
    next_place INTEGER NOT NULL DEFAULT 1,
    dropped INTEGER NOT NULL DEFAULT 0,
    redelivered INTEGER NOT NULL DEFAULT 0,
    ${clockColumns},
    UNIQUE (namespace, name)
  ) STRICT;

  CREATE TABLE holdfast_work_lane (
    id INTEGER PRIMARY KEY,
    queue INTEGER NOT NULL,
    kind TEXT NOT NULL,
    priority INTEGER NOT NULL,
    queued INTEGER NOT NULL DEFAULT 0,
    leased INTEGER NOT NULL DEFAULT 0,
    blocked INTEGER NOT NULL DEFAULT 0,
    dead INTEGER NOT NULL DEFAULT 0,
    -- Of the queued: those that were given a delay, over or not.
    delayed INTEGER NOT NULL DEFAULT 0,
    UNIQUE (queue, kind, priority)
  ) STRICT;

  -- What changes. The body is kept apart, so that a change of state does not write it again.
  CREATE TABLE holdfast_work_message (
    seq INTEGER PRIMARY KEY,
    queue INTEGER NOT NULL,
    lane INTEGER NOT NULL,
    state INTEGER NOT NULL,
    delayed INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0,
    redrives INTEGER NOT NULL DEFAULT 0,
    published_ms INTEGER NOT NULL,
    id TEXT NOT NULL,
    key TEXT,
    headers TEXT,
    claim TEXT,
    lease_boot TEXT,
    lease_until_ms INTEGER,
    died_ms INTEGER,
    reason TEXT
  ) STRICT;
  CREATE INDEX holdfast_work_message_queued
    ON holdfast_work_message (lane, due_ms, seq) WHERE state = ${queued};
  CREATE INDEX holdfast_work_message_delayed
    ON holdfast_work_message (queue, due_ms, lane) WHERE state = ${queued} AND delayed = 1;
  CREATE INDEX holdfast_work_message_leased
    ON holdfast_work_message (queue, lease_boot, lease_until_ms, lane) WHERE state = ${leased};
  CREATE INDEX holdfast_work_message_by_key
    ON holdfast_work_message (queue, key, seq) WHERE key IS NOT NULL AND state <> ${dead};
  CREATE INDEX holdfast_work_message_dead
    ON holdfast_work_message (queue, id, seq) WHERE state = ${dead};
  CREATE INDEX holdfast_work_message_dead_order
    ON holdfast_work_message (queue, seq) WHERE state = ${dead};

  CREATE TABLE holdfast_work_body (seq INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;

  -- Ids seen within the dedup horizon, and the message that each was first seen as.
  CREATE TABLE holdfast_work_seen (
    queue INTEGER NOT NULL,
    id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    PRIMARY KEY (queue, id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX holdfast_work_seen_by_expiry ON holdfast_work_seen (queue, expires_ms, id);

  CREATE TRIGGER holdfast_work_lane_limit BEFORE INSERT ON holdfast_work_lane
  WHEN (SELECT count(*) FROM holdfast_work_lane WHERE queue = NEW.queue) >= ${lanesMax}
    AND NOT EXISTS (SELECT 1 FROM holdfast_work_lane
      WHERE queue = NEW.queue AND kind = NEW.kind AND priority = NEW.priority)
  BEGIN
    SELECT RAISE(ABORT, 'a queue holds at most ${lanesMax} pairs of kind and priority');
  END;

  CREATE TRIGGER holdfast_work_published AFTER INSERT ON holdfast_work_message
  BEGIN
    UPDATE holdfast_work_lane SET
      queued = queued + (NEW.state = ${queued}),
      blocked = blocked + (NEW.state = ${blocked}),
      delayed = delayed + (NEW.state = ${queued} AND NEW.delayed = 1)
    WHERE id = NEW.lane;
  END;

  CREATE TRIGGER holdfast_work_changed AFTER UPDATE OF state ON holdfast_work_message
  BEGIN
    UPDATE holdfast_work_lane SET
      queued = queued ${step(queued)},
      leased = leased ${step(leased)},
      blocked = blocked ${step(blocked)},
      dead = dead ${step(dead)},
      delayed = delayed + (NEW.state = ${queued} AND NEW.delayed = 1)
        - (OLD.state = ${queued} AND OLD.delayed = 1)
    WHERE id = NEW.lane;
  END;

  CREATE TRIGGER holdfast_work_redelivered AFTER UPDATE OF state ON holdfast_work_message
  WHEN NEW.state = ${leased} AND NEW.attempt > 1
  BEGIN
    UPDATE holdfast_work_queue SET redelivered = redelivered + 1 WHERE id = NEW.queue;
  END;

  CREATE TRIGGER holdfast_work_died AFTER UPDATE OF state ON holdfast_work_message
  WHEN NEW.state = ${dead} AND NEW.key IS NOT NULL
  BEGIN ${unblockNext}
  END;

  CREATE TRIGGER holdfast_work_left AFTER DELETE ON holdfast_work_message
  BEGIN
    DELETE FROM holdfast_work_body WHERE seq = OLD.seq;
    UPDATE holdfast_work_lane SET
      queued = queued - (OLD.state = ${queued}),
      leased = leased - (OLD.state = ${leased}),
      blocked = blocked - (OLD.state = ${blocked}),
      dead = dead - (OLD.state = ${dead}),
      delayed = delayed - (OLD.state = ${queued} AND OLD.delayed = 1)
    WHERE id = OLD.lane;
  END;

  CREATE TRIGGER holdfast_work_left_its_key AFTER DELETE ON holdfast_work_message
  WHEN OLD.key IS NOT NULL AND OLD.state <> ${dead}
  BEGIN ${unblockNext}
  END;

  -- Only a consumer's receipt removes a leased message. What leaves otherwise was dropped.
  CREATE TRIGGER holdfast_work_dropped AFTER DELETE ON holdfast_work_message
  WHEN OLD.state <> ${leased}
  BEGIN
    UPDATE holdfast_work_queue SET dropped = dropped + 1 WHERE id = OLD.queue;
  END;
`
