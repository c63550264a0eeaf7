/**
 * The wrong Paxoses of the protocol, on a host, and one more that only a host can have.
 */
import type { PaxosInput } from '../../protocols/paxos/contract.ts'
import { step, take } from '../../protocols/paxos/paxos.ts'
import { type PlantedBug, plantedBugs } from '../../protocols/paxos/planted-bugs.sim.ts'
import { decode, encode } from './codec.ts'
import type { PaxosHostOptions } from './contract.ts'
import type { PaxosTrial } from './paxos.sim.ts'

export const plantedTrials: Readonly<Record<string, PaxosTrial>> = {
  ...Object.fromEntries(
    Object.entries(plantedBugs).map(([name, { forgets, ...bug }]) => {
      return [name, forgets === undefined ? bug : { ...bug, storage: forgetting(forgets) }]
    }),
  ),
  'PX-5: what was done is not in the snapshot': {
    protocol: {
      step: (state, input, nowMs) => step(state, forgettingClients(input), nowMs),
      take,
    },
  },
}

function forgetting(
  lost: NonNullable<PlantedBug['forgets']>,
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

function forgettingClients(input: PaxosInput): PaxosInput {
  if (input.kind !== 'snapshot') return input
  type Picture = { readonly sessions: readonly object[]; readonly state: Uint8Array }
  const { sessions, state } = decode<Picture>(input.state)
  const forgotten = sessions.map((session) => ({ ...session, answers: [], lowest: 1 }))
  return { ...input, state: encode({ sessions: forgotten, state }) }
}
