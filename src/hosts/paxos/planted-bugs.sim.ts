/**
 * Wrong Paxoses: each takes one rule away, from outside, and is otherwise the real one. A trial that does not
 * find them proves nothing.
 */
import type { DurableRecord, PaxosInput } from '../../protocols/paxos/contract.ts'
import type { Message } from '../../protocols/paxos/message.ts'
import { type PaxosState, step, take } from '../../protocols/paxos/paxos.ts'
import { record } from '../../protocols/paxos/state.ts'
import { decode, encode } from './codec.ts'
import type { PaxosHostOptions, PaxosProtocol } from './contract.ts'
import type { PaxosTrial } from './paxos.sim.ts'

export const plantedBugs: Readonly<Record<string, PaxosTrial>> = {
  'PX-1: a promise is not persisted': { storage: forgetting(({ kind }) => kind === 'promise') },
  'PX-1: an acceptance is not persisted': {
    storage: forgetting(({ kind }) => kind === 'accept' || kind === 'commit'),
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
  'PX-1: a ballot is used again after a restart': {
    storage: forgetting((one, id) => {
      return one.kind === 'round' || (one.kind === 'promise' && one.ballot.node === id)
    }),
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
  'PX-5: what was done is not in the snapshot': {
    protocol: {
      step: (state, input, nowMs) => step(state, forgettingClients(input), nowMs),
      take,
    },
  },
}

/** A disk that loses some records, and says they are safe. */
function forgetting(
  lost: (one: DurableRecord, id: string) => boolean,
): NonNullable<PaxosHostOptions['storage']> {
  return (storage, id) => ({
    ...storage,
    write: (batch) =>
      storage.write(
        batch.map((write) => {
          return { ...write, records: write.records.filter((one) => !lost(one, id)) }
        }),
      ),
  })
}

/** Hears something else than was said. */
function hearing(heard: (message: Message, state: PaxosState) => Message): PaxosProtocol {
  return {
    step(state, input, nowMs) {
      const changed: PaxosInput =
        input.kind === 'message' ? { ...input, message: heard(input.message, state) } : input
      step(state, changed, nowMs)
    },
    take,
  }
}

function forgettingClients(input: PaxosInput): PaxosInput {
  if (input.kind !== 'snapshot') return input
  type Picture = { readonly sessions: readonly object[]; readonly state: Uint8Array }
  const { sessions, state } = decode<Picture>(input.state)
  const forgotten = sessions.map((session) => ({ ...session, answers: [], lowest: 1 }))
  return { ...input, state: encode({ sessions: forgotten, state }) }
}
