/**
 * A member as it starts, from what its disk held.
 */
import { InvalidArgumentError } from '../../errors.ts'
import { chanceFrom } from './chance.ts'
import type { RaftOptions, RestoredState } from './contract.ts'
import { waitForElection } from './election.ts'
import { type Log, lastIndexOf } from './log.ts'
import { emptyOutbox } from './outbox.ts'
import { settingsOf } from './settings.ts'
import type { PlacedConfiguration, RaftState } from './state.ts'

/**
 * A member as it starts, new or again. `nowMs` is the host's monotonic clock, as everywhere here.
 * @throws {InvalidArgumentError} an option is out of range, or what was restored cannot be.
 */
export function raft(options: RaftOptions, restored: RestoredState, nowMs: number): RaftState {
  const settings = settingsOf(options)
  const log = restoredLog(restored)
  const last = lastIndexOf(log)
  const state: RaftState = {
    settings,
    nowMs,
    chance: chanceFrom(options.seed),
    term: restored.term,
    vote: restored.vote,
    role: 'follower',
    leader: undefined,
    log,
    commit: Math.max(log.snapshot.index, Math.min(restored.commit, last)),
    emitted: log.snapshot.index,
    configurations: restoredConfigurations(restored),
    electionAtMs: 0,
    // Before the restart it may have answered a leader that counts on it still.
    stickyUntilMs: restored.term === 0 ? -Infinity : nowMs + settings.electionMs,
    votes: new Map(),
    handedOver: false,
    lead: undefined,
    transfer: undefined,
    forwarded: new Map(),
    asked: new Map(),
    installing: undefined,
    disk: {
      ticket: 0,
      written: 0,
      ballotTicket: 0,
      ballotDue: false,
      commit: restored.commit,
      commitDue: false,
    },
    outbox: emptyOutbox(),
  }
  waitForElection(state)
  return state
}

function restoredLog({ snapshot, entries, term }: RestoredState): Log {
  entries.forEach((entry, at) => {
    if (entry.index === snapshot.index + 1 + at && entry.term <= term) return
    throw new InvalidArgumentError(`restored entry ${entry.index} is out of place`)
  })
  const last = snapshot.index + entries.length
  return {
    baseIndex: snapshot.index,
    baseTerm: snapshot.term,
    entries: [...entries],
    snapshot,
    durable: last,
    taken: last,
    cutDue: false,
    cuts: 0,
    writes: [],
  }
}

function restoredConfigurations({ snapshot, entries }: RestoredState): PlacedConfiguration[] {
  const { index, configuration } = snapshot
  const placed = [{ index, configuration }]
  for (const entry of entries) if (entry.kind === 'configuration') placed.push(entry)
  return placed.map((one) => ({ index: one.index, configuration: one.configuration }))
}
