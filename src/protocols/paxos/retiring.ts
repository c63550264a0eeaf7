/**
 * A member that was removed may not simply go. The slots before the change are decided by the old members;
 * if it alone knows what was chosen there, and nobody else can ask a quorum of them any more, the new members
 * wait for ever. So it stays until so many of the new ones have all that on their disks that every quorum
 * they will ever ask has one of them.
 */
import type { Message } from './message.ts'
import { current, type PaxosState, record, send, sendDurably, stepDown } from './state.ts'

/** Is there a slot left that this member decides? If not, it begins to take its leave. */
export function checkPlace(state: PaxosState): void {
  const { id } = state.options
  const { configurations } = state.durable
  if (configurations.some(({ configuration }) => configuration.members.includes(id))) return
  stepDown(state)
  state.isRetiring = current(state).retired.includes(id)
}

/** With every beat: do you know what I know? */
export function takeLeave(state: PaxosState): void {
  const { commit } = state.durable
  for (const to of current(state).members) {
    if (!state.releasedBy.includes(to)) send(state, to, { kind: 'leave', commit })
  }
}

export function onLeave(
  state: PaxosState,
  { from, commit }: Message & { kind: 'leave' },
  askToLearn: (state: PaxosState, from: string) => void,
): void {
  const { durable } = state
  if (durable.commit < commit) {
    askToLearn(state, from)
    return
  }
  // Changes nothing, but is synced, and all before it: how far this member knows is otherwise only a hint.
  record(state, { kind: 'promise', ballot: durable.promised })
  sendDurably(state, from, { kind: 'released', commit: durable.commit })
}

export function onReleased(
  state: PaxosState,
  { from, commit }: Message & { kind: 'released' },
): void {
  if (!state.isRetiring || commit < state.durable.commit) return
  const { members, quorums } = current(state)
  if (members.includes(from) && !state.releasedBy.includes(from)) state.releasedBy.push(from)
  if (state.releasedBy.length > members.length - quorums.prepare) state.out.ended = 'removed'
}
