/**
 * How records add up to a member's memory. The running member, the storage that mirrors it and a restart
 * all use this one function, so they cannot disagree.
 */
import { compareBallots, noBallot } from './ballot.ts'
import type {
  Configuration,
  DurableRecord,
  DurableState,
  Genesis,
  PlacedConfiguration,
  Value,
} from './contract.ts'

/** @param disk unique for every disk that was ever used. */
export function newMember(disk: string, genesis: Genesis): DurableState {
  return {
    ...{ disk, genesis, admitted: false, peers: new Map(), round: 0, promised: noBallot },
    ...{ snapshot: undefined, firstSlot: 1, entries: new Map(), commit: 0 },
    configurations: [{ from: 1, configuration: genesis.configuration }],
  }
}

export function applyRecord(state: DurableState, record: DurableRecord): void {
  switch (record.kind) {
    case 'round':
      state.round = record.round
      return
    case 'promise':
      raisePromise(state, record)
      return
    case 'accept':
      raisePromise(state, record)
      state.entries.set(record.slot, { ballot: record.ballot, value: record.value })
      return
    case 'commit':
      while (state.commit < record.slot) advance(state)
      return
    case 'snapshot': {
      const { snapshot, keepFrom } = record
      if (snapshot.slot > state.commit) {
        state.commit = snapshot.slot
        state.configurations = snapshot.configurations
      }
      state.snapshot = snapshot
      for (const slot of state.entries.keys()) if (slot < keepFrom) state.entries.delete(slot)
      state.firstSlot = keepFrom
      return
    }
    case 'peer':
      state.peers.set(record.node, record.disk)
      return
    case 'admitted':
      state.admitted = true
  }
}

function raisePromise(state: DurableState, { ballot }: { ballot: DurableState['promised'] }): void {
  if (compareBallots(ballot, state.promised) > 0) state.promised = ballot
}

/** The next slot is chosen. */
function advance(state: DurableState): void {
  const slot = ++state.commit
  const value = state.entries.get(slot)?.value
  if (value === undefined) throw new Error(`slot ${slot} is chosen, and nothing is known of it`)
  if (value.kind === 'configuration') {
    const { configuration } = value
    const placed = { from: slot + state.genesis.alpha, configuration }
    state.configurations = [...state.configurations, placed]
  }
  const inForce = state.configurations.findLastIndex(({ from }) => from <= slot + 1)
  if (inForce > 0) state.configurations = state.configurations.slice(inForce)
}

/** Who decides this slot, which must be after `commit`, by at most `alpha`. */
export function configurationAt(
  { configurations }: { readonly configurations: readonly PlacedConfiguration[] },
  slot: number,
): Configuration {
  const placed = configurations.findLast(({ from }) => from <= slot) ?? configurations[0]
  if (placed === undefined) throw new Error(`no configuration is known for slot ${slot}`)
  return placed.configuration
}

/** Where a configuration is part of a value, it is compared by content. */
export function sameValue(one: Value, other: Value): boolean {
  if (one.kind === 'command' && other.kind === 'command') {
    const { data } = other
    return one.data.length === data.length && one.data.every((byte, index) => byte === data[index])
  }
  return JSON.stringify(one) === JSON.stringify(other)
}

export function sizeOf(value: Value): number {
  if (value.kind === 'command') return 32 + value.data.length
  return value.kind === 'nothing' ? 32 : 32 + JSON.stringify(value).length
}
