/**
 * Round robin: everybody in turn. The turn is a ring that survives changes of the list: who stays
 * keeps the place, who leaves gives the turn to nobody twice, and who comes is put in at a random place,
 * so that a thousand clients that hear of a new endpoint together do not call it together.
 */
import type { RandomSource } from '../../runtime/random.ts'
import type { Endpoint } from '../endpoint.ts'
import type { Balancer, Choice } from './balancer.ts'

/**
 * Exactly fair: while the list stays, any n picks in a row choose each of n endpoints once. Weights
 * count only as zero (drained) or not. It knows nothing about load: choose `leastActive` when calls
 * differ in cost or endpoints in speed.
 */
export function roundRobin(random: RandomSource): Balancer {
  let ring: readonly Endpoint[] = []
  let turn = 0

  /** Newcomers are spread over the ring; the first list of all is only turned by a random offset. */
  function merge(kept: readonly Endpoint[], added: readonly Endpoint[]): readonly Endpoint[] {
    if (kept.length === 0) {
      const offset = Math.floor(random.fraction('balancing') * added.length)
      return [...added.slice(offset), ...added.slice(0, offset)]
    }
    const places = added
      .map((endpoint) => ({ endpoint, at: random.fraction('balancing') * (kept.length + 1) }))
      .sort((a, b) => a.at - b.at)
    const merged: Endpoint[] = []
    let next = 0
    for (let place = 0; place <= kept.length; place++) {
      for (let one = places[next]; one !== undefined && one.at < place + 1; one = places[next]) {
        merged.push(one.endpoint)
        next++
      }
      const endpoint = kept[place]
      if (endpoint !== undefined) merged.push(endpoint)
    }
    return merged
  }

  return {
    name: 'round-robin',

    update(endpoints) {
      const listed = new Map<string, Endpoint>()
      for (const endpoint of endpoints) if (endpoint.weight > 0) listed.set(endpoint.id, endpoint)
      const kept: Endpoint[] = []
      // Starting with whose turn it is, so that the new ring goes on exactly there.
      for (let step = 0; step < ring.length; step++) {
        const id = ring[(turn + step) % ring.length]?.id ?? ''
        const current = listed.get(id)
        if (current !== undefined) kept.push(current)
        listed.delete(id)
      }
      ring = merge(kept, [...listed.values()])
      turn = 0
    },

    pick(exclude) {
      const count = ring.length
      const start = turn
      for (let step = 0; step < count; step++) {
        const at = (start + step) % count
        const endpoint = ring[at]
        if (endpoint === undefined || exclude?.has(endpoint.id)) continue
        turn = (at + 1) % count
        return choiceOf(endpoint)
      }
      const endpoint = ring[start]
      if (endpoint === undefined) return undefined
      turn = (start + 1) % count
      return choiceOf(endpoint)
    },
  }
}

/** How a call ended does not matter to a turn. */
function choiceOf(endpoint: Endpoint): Choice {
  return { endpoint, finish: ignore }
}

function ignore(): void {}
