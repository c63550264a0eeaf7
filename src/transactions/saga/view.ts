/**
 * A stored saga as people and programs see it.
 */
import type { Instance } from '../../kernels/decision-contract.ts'
import type { SagaOutcome, SagaView } from './contract.ts'
import { results, type SagaEnd, type SagaState } from './state.ts'

/** The record's key: names have no slash, so the first one parts name and id. */
export function keyOf(name: string, id: string): string {
  return `${name}/${id}`
}

export function idOf(key: string): string {
  return key.slice(key.indexOf('/') + 1)
}

export function viewOf(instance: Instance<SagaState, SagaEnd>): SagaView {
  const { id: cursor, epoch } = instance
  const common = { cursor, id: idOf(cursor), epoch: String(epoch) }
  if (instance.status === 'open') {
    const { state, owner } = instance
    const { parked, direction } = state
    return {
      ...common,
      ...shown(state),
      status: parked ? 'parked' : direction,
      ...(owner === undefined ? {} : { owner }),
    }
  }
  const { outcome, state, saga, endedAtMs } = instance.outcome
  const known = state ? shown(state) : { name: saga, version: 0, steps: [] }
  return { ...common, ...known, status: outcome.status, endedAtMs }
}

/** A saga that runs here, as its executor knows it. */
export function runningView(own: {
  readonly id: string
  readonly epoch: bigint
  readonly state: SagaState
}): SagaView {
  const { id: cursor, epoch, state } = own
  const common = { cursor, id: idOf(cursor), epoch: String(epoch) }
  return { ...common, ...shown(state), status: state.parked ? 'parked' : state.direction }
}

/** A saga that has ended. */
export function endedView(cursor: string, epoch: bigint, end: SagaEnd): SagaView {
  return viewOf({ status: 'decided', id: cursor, epoch, outcome: end })
}

function shown({ saga: name, version, cause, parked, steps, startedAtMs }: SagaState) {
  return {
    name,
    version,
    steps,
    startedAtMs,
    ...(cause ? { cause } : {}),
    ...(parked ? { parked } : {}),
  }
}

export function outcomeOfEnd<Results>({ outcome, state }: SagaEnd): SagaOutcome<Results> {
  if (outcome.status !== 'completed') return outcome
  return { status: 'completed', results: (state ? results(state) : {}) as Results }
}
