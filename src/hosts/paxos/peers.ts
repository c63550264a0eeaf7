/**
 * Where members are: as the configurations say, or, for one that is in none of them any more, where it was
 * last heard from.
 */
import type { NodeId } from '../../protocols/paxos/ballot.ts'
import type { PaxosState } from '../../protocols/paxos/paxos.ts'

export interface AddressBook {
  addressOf(node: NodeId | undefined): string | undefined
  heard(node: NodeId, source: string): void
}

/** Strangers remembered, at most: the first heard is forgotten first. */
const strangersMax = 100

export function addressBook({ durable }: PaxosState): AddressBook {
  const strangers = new Map<NodeId, string>()

  function known(node: NodeId): string | undefined {
    for (const { configuration } of durable.configurations.toReversed()) {
      const address = configuration.addresses[node]
      if (address !== undefined) return address
    }
    return durable.genesis.configuration.addresses[node]
  }

  return {
    addressOf(node) {
      return node === undefined ? undefined : (known(node) ?? strangers.get(node))
    },
    heard(node, source) {
      if (known(node) !== undefined) return
      strangers.delete(node)
      strangers.set(node, source)
      const [first] = strangers.keys()
      if (strangers.size > strangersMax && first !== undefined) strangers.delete(first)
    },
  }
}
