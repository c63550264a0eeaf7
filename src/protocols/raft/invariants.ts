/**
 * The five properties that make Raft right (paper, figure 3), looked at from above, where all members can be
 * seen at once: for simulators and model checkers, after every event. Each look costs what has changed since
 * the last one, not what there is.
 *
 * Election Safety: one leader per term. Leader Append-Only: a leader's log only grows. Log Matching: an
 * entry of one index and term is the same everywhere, and so is all before it. Leader Completeness: what was
 * committed is in the log of every later leader. State Machine Safety: no index is committed twice, with
 * different entries.
 */
import type { Entry, MemberId } from './entry.ts'
import { encodeConfiguration } from './entry-codec.ts'
import { entryAt, lastIndexOf, termAt } from './log.ts'
import type { RaftState } from './state.ts'

export interface RaftInvariants {
  /**
   * Looks at members that may have changed; those not named are taken to be as they were.
   * @returns what is broken, or `undefined`.
   */
  check(states: Iterable<RaftState>): string | undefined
  /** The highest index that any member has ever known to be committed. */
  committedIndex(): number
  /** So many leaders were seen. */
  elections(): number
}

/** What was seen of one member, so that only what is new is looked at. */
interface Sight {
  readonly state: RaftState
  cuts: number
  lastIndex: number
  lastEntry: Entry | undefined
  commit: number
  /** The term it led in when it was last seen. */
  ledTerm: number
}

interface Placed {
  readonly entry: Entry
  readonly prevTerm: number | undefined
}

interface Committed {
  readonly term: number
  /** The term in which it was first seen to be committed. */
  readonly inTerm: number
}

export function raftInvariants(): RaftInvariants {
  const sights = new Map<MemberId, Sight>()
  const leaders = new Map<number, MemberId>()
  /** By index, each entry that was ever there. */
  const placed: (Placed[] | undefined)[] = []
  const committed: (Committed | undefined)[] = []

  function check(states: Iterable<RaftState>): string | undefined {
    for (const state of states) {
      const sight = sightOf(state)
      const broken =
        marksAreInOrder(state) ??
        logMatches(state, sight) ??
        leadershipHolds(state, sight) ??
        commitHolds(state, sight)
      if (broken !== undefined) return broken
      sight.cuts = state.log.cuts
      sight.lastIndex = lastIndexOf(state.log)
      sight.lastEntry = entryAt(state.log, sight.lastIndex)
      sight.commit = state.commit
      sight.ledTerm = state.lead === undefined ? -1 : state.term
    }
    return undefined
  }

  function sightOf(state: RaftState): Sight {
    const { id } = state.settings
    const known = sights.get(id)
    // Another object is a member that has started again.
    if (known?.state === state) return known
    const { cuts, baseIndex: lastIndex } = state.log
    const sight = { state, cuts, lastIndex, lastEntry: undefined, commit: 0, ledTerm: -1 }
    sights.set(id, sight)
    return sight
  }

  function logMatches(state: RaftState, sight: Sight): string | undefined {
    const { log } = state
    const from = log.cuts === sight.cuts ? sight.lastIndex : 0
    for (let index = Math.max(from, log.baseIndex) + 1; index <= lastIndexOf(log); index++) {
      const entry = entryAt(log, index)
      if (entry === undefined || entry.index !== index) return `${who(state)}: no entry at ${index}`
      const prevTerm = termAt(log, index - 1)
      if (prevTerm !== undefined && prevTerm > entry.term) {
        return `${who(state)}: the term falls at ${index}`
      }
      if (entry.kind === 'configuration' && !isPlaced(state, entry)) {
        return `${who(state)}: the configuration of entry ${index} is not in its list`
      }
      const others = placed[index]
      const same = others?.find((other) => other.entry.term === entry.term)
      if (others === undefined) placed[index] = [{ entry, prevTerm }]
      else if (same === undefined) others.push({ entry, prevTerm })
      else if (same.prevTerm !== prevTerm || !sameEntry(same.entry, entry)) {
        return `Log Matching: entry ${index} of term ${entry.term} at ${who(state)} differs`
      }
    }
    return undefined
  }

  function leadershipHolds(state: RaftState, sight: Sight): string | undefined {
    const { lead, log, settings, term } = state
    if (lead === undefined) return undefined
    if (sight.ledTerm === term) {
      const cut = log.cuts !== sight.cuts || lastIndexOf(log) < sight.lastIndex
      const kept = sight.lastIndex <= log.baseIndex
      const changed = !kept && entryAt(log, sight.lastIndex) !== sight.lastEntry
      return cut || changed ? `Leader Append-Only: ${who(state)} cut its log` : undefined
    }
    const leader = leaders.get(term)
    if (leader !== undefined && leader !== settings.id) {
      return `Election Safety: ${leader} and ${settings.id} both lead in term ${term}`
    }
    leaders.set(term, settings.id)
    return isComplete(state, log.baseIndex + 1, committed.length - 1)
  }

  /** Does this leader's log hold what was committed in earlier terms? */
  function isComplete(state: RaftState, from: number, to: number): string | undefined {
    for (let index = Math.max(from, state.log.baseIndex + 1); index <= to; index++) {
      const known = committed[index]
      if (known === undefined || known.inTerm >= state.term) continue
      if (termAt(state.log, index) === known.term) continue
      return `Leader Completeness: ${who(state)} lacks entry ${index} of term ${known.term}`
    }
    return undefined
  }

  function commitHolds(state: RaftState, sight: Sight): string | undefined {
    const { commit, log, term } = state
    for (let index = Math.max(sight.commit, log.baseIndex - 1) + 1; index <= commit; index++) {
      const entryTerm = termAt(log, index)
      if (entryTerm === undefined) continue
      const known = committed[index]
      if (known === undefined) committed[index] = { term: entryTerm, inTerm: term }
      else if (known.term !== entryTerm) {
        return `State Machine Safety: entry ${index} of terms ${known.term} and ${entryTerm}`
      }
    }
    if (commit <= sight.commit) return undefined
    for (const { state: other } of sights.values()) {
      if (other.lead === undefined || other === state) continue
      const broken = isComplete(other, sight.commit + 1, commit)
      if (broken !== undefined) return broken
    }
    return undefined
  }

  return {
    check,
    committedIndex: () => committed.length - 1,
    elections: () => leaders.size,
  }
}

function marksAreInOrder(state: RaftState): string | undefined {
  const { commit, emitted, log } = state
  const { baseIndex, durable, snapshot, taken } = log
  const inOrder =
    baseIndex <= snapshot.index &&
    emitted <= commit &&
    commit <= lastIndexOf(log) &&
    durable <= taken &&
    taken <= lastIndexOf(log)
  if (!inOrder) return `${who(state)}: its marks are out of order`
  return isInForce(state) ? undefined : `${who(state)}: a configuration that is not in its log`
}

/** The last configuration in the log is in force, committed or not (thesis, 4.1). */
function isPlaced(state: RaftState, entry: Entry & { readonly kind: 'configuration' }): boolean {
  if (entry.index <= state.log.snapshot.index) return true
  return state.configurations.some(
    ({ index, configuration }) => index === entry.index && configuration === entry.configuration,
  )
}

/** None in force that is not in the log. */
function isInForce({ configurations, log }: RaftState): boolean {
  const placed = configurations[configurations.length - 1]
  if (placed === undefined) return false
  if (placed.index <= log.snapshot.index) return true
  const entry = entryAt(log, placed.index)
  return entry?.kind === 'configuration' && entry.configuration === placed.configuration
}

function who({ settings, term }: RaftState): string {
  return `${settings.id} in term ${term}`
}

function sameEntry(left: Entry, right: Entry): boolean {
  if (left === right) return true
  if (left.kind === 'command' && right.kind === 'command') {
    return sameBytes(left.data, right.data)
  }
  if (left.kind === 'configuration' && right.kind === 'configuration') {
    // As bytes, because the order in which addresses were added says nothing.
    return sameBytes(
      encodeConfiguration(left.configuration),
      encodeConfiguration(right.configuration),
    )
  }
  return left.kind === right.kind
}

function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  if (left === right) return true
  if (left.length !== right.length) return false
  return left.every((byte, at) => byte === right[at])
}
