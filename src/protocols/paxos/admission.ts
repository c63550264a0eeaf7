/**
 * A member that lost its disk has forgotten its promises, and would break them under its old name. It
 * cannot know that it forgot: an empty disk looks like a first start. So others remember for it: every disk
 * has an id of its own, and a member takes part only after a majority of the others has written down its
 * id. Two majorities share a member, and that one knows the first disk of the name and turns the second
 * away.
 *
 * Holds while no majority of the others has lost its disks, too. A group therefore needs a majority of the
 * others once, at the first start of each member. A member turned away is replaced, under a new name, by a
 * change of the configuration.
 */
import type { Message } from './message.ts'
import { current, type PaxosState, record, restElection, send, sendDurably } from './state.ts'

/** Asks all others; alone, there is nobody to have made promises to. */
export function askForAdmission(state: PaxosState): void {
  const { durable, options } = state
  const others = current(state).members.filter((member) => member !== options.id)
  if (others.length === 0) admit(state)
  for (const other of others) {
    if (!state.admittedBy.includes(other)) send(state, other, { kind: 'admit', disk: durable.disk })
  }
}

export function onAdmit(state: PaxosState, { from, disk }: Message & { kind: 'admit' }): void {
  const known = state.durable.peers.get(from) ?? disk
  if (!state.durable.peers.has(from)) record(state, { kind: 'peer', node: from, disk })
  sendDurably(state, from, { kind: 'admit-reply', disk, known })
}

export function onAdmitReply(
  state: PaxosState,
  { from, disk, known }: Message & { kind: 'admit-reply' },
): void {
  const { durable, options } = state
  if (durable.admitted || disk !== durable.disk) return
  if (known !== disk) {
    state.out.ended = 'lost-disk'
    return
  }
  if (!state.admittedBy.includes(from)) state.admittedBy.push(from)
  const others = current(state).members.filter((member) => member !== options.id)
  const by = others.filter((member) => state.admittedBy.includes(member))
  if (by.length > others.length / 2) admit(state)
}

function admit(state: PaxosState): void {
  record(state, { kind: 'admitted' })
  restElection(state)
}
