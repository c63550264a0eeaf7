/**
 * Which configuration is in force: always the last one in the log, committed or not (thesis, 4.1), so that
 * cutting the log's tail brings the earlier one back.
 */
import type { Configuration, Entry, SnapshotMark } from './entry.ts'
import { cutFrom, lastIndexOf, termAt } from './log.ts'
import type { PlacedConfiguration, RaftState } from './state.ts'

export function placedInForce(state: RaftState): PlacedConfiguration {
  const placed = state.configurations[state.configurations.length - 1]
  if (placed === undefined) throw new Error('a member without a configuration')
  return placed
}

export function inForce(state: RaftState): Configuration {
  return placedInForce(state).configuration
}

/** Is a change still on its way: not committed, or committed in its first half only? */
export function isChanging(state: RaftState): boolean {
  const { index, configuration } = placedInForce(state)
  return index > state.commit || configuration.outgoing.length > 0
}

/** Puts an entry at the end of the log. It must fit there. */
export function extend(state: RaftState, entry: Entry): void {
  if (entry.index !== lastIndexOf(state.log) + 1) {
    throw new Error(`entry ${entry.index} does not follow ${lastIndexOf(state.log)}`)
  }
  state.log.entries.push(entry)
  if (entry.kind === 'configuration') {
    state.configurations.push({ index: entry.index, configuration: entry.configuration })
  }
}

/** Cuts the log's tail from `index` on, and goes back to the configuration before it. */
export function rollBack(state: RaftState, index: number): void {
  if (index <= state.commit) {
    throw new Error(`committed entry ${index} would be cut: commit index ${state.commit}`)
  }
  cutFrom(state.log, index)
  while (placedInForce(state).index >= index) state.configurations.pop()
}

/** A snapshot holds all up to its index: of the configurations up to there one is left. */
export function forgetConfigurations(state: RaftState, mark: SnapshotMark): void {
  const { configurations } = state
  while ((configurations[1]?.index ?? Infinity) <= mark.index) configurations.shift()
}

/** What a snapshot at `index` must carry; `undefined` if the log does not reach from there. */
export function markAt(state: RaftState, index: number): SnapshotMark | undefined {
  const term = termAt(state.log, index)
  if (term === undefined || index > state.commit) return undefined
  if (index === state.log.snapshot.index) return state.log.snapshot
  const placed = state.configurations.findLast((one) => one.index <= index)
  return placed === undefined ? undefined : { index, term, configuration: placed.configuration }
}
