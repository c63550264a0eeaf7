/**
 * Wrong Paxoses: each takes one rule away, from outside, and is otherwise the real one. A search or a trial
 * that does not find them proves nothing.
 *
 * A ballot used again is not among them: a member's own acceptances keep it from that, even if its rounds
 * were lost. `single-decree.test.ts` has it, where proposers have no such memory.
 */
import type { NodeId } from './ballot.ts'
import type { DurableRecord, PaxosInput, PaxosOutputs } from './contract.ts'
import type { Message } from './message.ts'
import { type PaxosState, step, take } from './paxos.ts'
import type { Quorums } from './quorum.ts'
import { record } from './state.ts'

export interface PlantedBug {
  readonly protocol?: Protocol
  /** Records that the disk loses, although it says they are safe. */
  readonly forgets?: (one: DurableRecord, id: NodeId) => boolean
  readonly quorums?: Quorums
}

export interface Protocol {
  step(state: PaxosState, input: PaxosInput, nowMs: number): void
  take(state: PaxosState): PaxosOutputs
}

export const plantedBugs: Readonly<Record<string, PlantedBug>> = {
  'PX-1: a promise is not persisted': { forgets: ({ kind }) => kind === 'promise' },
  'PX-1: an acceptance is not persisted': {
    forgets: ({ kind }) => kind === 'accept' || kind === 'commit',
  },
  'PX-1: answers do not wait for the disk': {
    protocol: {
      step,
      take(state) {
        const out = take(state)
        const sent = out.sendAfter.map(({ message }) => message)
        return { ...out, send: [...out.send, ...sent], sendAfter: [] }
      },
    },
  },
  'PX-2: own value, though one was accepted': {
    protocol: hearing((message) =>
      message.kind === 'promise' ? { ...message, entries: [] } : message,
    ),
  },
  'PX-2: the value of a lower ballot': {
    protocol: hearing((message) => {
      if (message.kind !== 'promise') return message
      const upsideDown = message.entries.map((entry) => {
        return { ...entry, ballot: { ...entry.ballot, round: -entry.ballot.round } }
      })
      return { ...message, entries: upsideDown }
    }),
  },
  'PX-2: acceptances of other ballots count': {
    protocol: hearing((message, { durable }) => {
      if (message.kind !== 'heartbeat' && message.kind !== 'accept') return message
      for (let slot = durable.commit + 1; slot <= message.commit; slot++) {
        const entry = durable.entries.get(slot)
        if (entry !== undefined) durable.entries.set(slot, { ...entry, ballot: message.ballot })
      }
      return message
    }),
  },
  'PX-3: a hole is skipped, not filled': {
    protocol: {
      step(state, input, nowMs) {
        step(state, input, nowMs)
        const { durable, lead, out } = state
        while (lead !== undefined && lead === state.lead) {
          const slot = durable.commit + 1
          const value = durable.entries.get(slot)?.value
          if (value?.kind !== 'nothing' || !lead.votes.has(slot)) return
          record(state, { kind: 'commit', slot })
          out.chosen.push({ slot, value })
        }
      },
      take,
    },
  },
  'PX-3: a leader reads without asking whether it still leads': {
    protocol: {
      step(state, input, nowMs) {
        const members = state.lead?.confirmed
        if (input.kind === 'read') for (const one of ['a', 'b', 'c']) members?.set(one, 1e9)
        step(state, input, nowMs)
      },
      take,
    },
  },
  'PX-4: quorums that miss each other': { quorums: { prepare: 1, accept: 2 } },
  'PX-4: a member that lost its disk takes part': {
    protocol: {
      step(state, input, nowMs) {
        state.durable.admitted = true
        step(state, input, nowMs)
      },
      take,
    },
  },
}

/** Hears something else than was said. */
function hearing(heard: (message: Message, state: PaxosState) => Message): Protocol {
  return {
    step(state, input, nowMs) {
      const changed: PaxosInput =
        input.kind === 'message' ? { ...input, message: heard(input.message, state) } : input
      step(state, changed, nowMs)
    },
    take,
  }
}
