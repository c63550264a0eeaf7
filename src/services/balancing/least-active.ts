/**
 * Least active, by the power of two choices: draw two endpoints, take the one with fewer calls in
 * flight for its weight. Asking two instead of all is nearly as even and has no herd: clients that
 * see the same numbers still draw different pairs. (M. Mitzenmacher, "The Power of Two Choices in
 * Randomized Load Balancing", 2001.)
 *
 * A broken endpoint that fails at once never has calls in flight and would look like the best of all.
 * So a failure counts like calls in flight that nobody finishes: a penalty, doubled with each failure
 * in a row, halved by a success, and worn off a little each time the endpoint is looked at. Thus a broken
 * endpoint is tried again now and then, and a repaired one comes back, without a clock.
 */
import type { RandomSource } from '../../runtime/random.ts'
import type { Endpoint } from '../endpoint.ts'
import { type AliasTable, aliasTable } from './alias-table.ts'
import type { Balancer, Choice } from './balancer.ts'

export interface LeastActive extends Balancer {
  /** Calls chosen and not yet finished, of endpoints listed or not. */
  inFlight(): number
  /** The same for one endpoint; 0 if it is not listed. */
  inFlightOf(id: string): number
}

interface Candidate {
  endpoint: Endpoint
  /** Choices not yet finished: 0 or more. */
  active: number
  /** In calls of the lightest endpoint, so that a heavy one feels it too: 0 to `penaltyMax`. */
  penalty: number
  /** Failures since the last success. The penalty wears off between tries, so it cannot tell. */
  failures: number
}

// From the full penalty an endpoint without rivals' load is tried again after about 80 looks, so a
// broken one costs about one call in eighty of its fair share.
const penaltyMax = 64
const wornOffPerLook = 0.95

/**
 * Candidates are drawn in proportion to weight and compared by in flight / weight + penalty, so that
 * weights hold both when idle and under load. Picks cost the same for ten endpoints and a hundred
 * thousand. In flight counts this client's own calls only.
 */
export function leastActive(random: RandomSource): LeastActive {
  let states = new Map<string, Candidate>()
  let candidates: readonly Candidate[] = []
  /** Absent while all weights are equal, the common case, which is cheaper. */
  let byWeight: AliasTable | undefined
  let weightMin = 1
  let total = 0

  function draw(): number {
    const share = random.fraction('balancing')
    return byWeight?.draw(share) ?? Math.floor(share * candidates.length)
  }

  function isExcluded(index: number, exclude: ReadonlySet<string> | undefined): boolean {
    const candidate = candidates[index]
    return candidate === undefined || exclude?.has(candidate.endpoint.id) === true
  }

  /** @returns `undefined` if all are excluded. Draws again rather than take the neighbour of one. */
  function drawAllowed(exclude: ReadonlySet<string> | undefined): number | undefined {
    for (let attempt = 0; attempt < 8; attempt++) {
      const index = draw()
      if (!isExcluded(index, exclude)) return index
    }
    const offset = draw()
    for (let step = 0; step < candidates.length; step++) {
      const index = (offset + step) % candidates.length
      if (!isExcluded(index, exclude)) return index
    }
    return undefined
  }

  /** Another index than `taken`; by weight if a few draws allow. Two or more candidates. */
  function drawOther(taken: number): number {
    for (let attempt = 0; byWeight !== undefined && attempt < 3; attempt++) {
      const index = draw()
      if (index !== taken) return index
    }
    const others = candidates.length - 1
    return (taken + 1 + Math.floor(random.fraction('balancing') * others)) % candidates.length
  }

  function costOf({ active, penalty, endpoint }: Candidate): number {
    return active / endpoint.weight + penalty / weightMin
  }

  function better(first: Candidate, second: Candidate): Candidate {
    const cost = costOf(second) - costOf(first)
    first.penalty = wornOff(first.penalty)
    second.penalty = wornOff(second.penalty)
    // At a tie the first: it was drawn by weight, and by chance.
    return cost < 0 ? second : first
  }

  /** The common case, from one draw: its first part is one candidate, the rest the other. */
  function chooseEvenly(): Candidate | undefined {
    const count = candidates.length
    const place = random.fraction('balancing') * count
    const index = Math.floor(place)
    const first = candidates[index]
    const second = candidates[(index + 1 + Math.floor((place - index) * (count - 1))) % count]
    return first && second ? better(first, second) : first
  }

  function choose(exclude: ReadonlySet<string> | undefined): Candidate | undefined {
    if (candidates.length < 2) return candidates[0]
    if (exclude === undefined && byWeight === undefined) return chooseEvenly()
    const index = drawAllowed(exclude)
    if (index === undefined) return choose(undefined)
    const first = candidates[index]
    const second = drawSecond(index, exclude)
    return first && second ? better(first, second) : first
  }

  /** `undefined` if a few draws met only excluded ones: then the first has no rival. */
  function drawSecond(
    first: number,
    exclude: ReadonlySet<string> | undefined,
  ): Candidate | undefined {
    for (let attempt = 0; attempt < 4; attempt++) {
      const index = drawOther(first)
      if (!isExcluded(index, exclude)) return candidates[index]
    }
    return undefined
  }

  function choiceOf(candidate: Candidate): Choice {
    candidate.active++
    total++
    let finished = false
    return {
      endpoint: candidate.endpoint,
      finish(result) {
        if (finished) return
        finished = true
        candidate.active--
        total--
        if (result === 'failed') {
          candidate.failures++
          candidate.penalty = Math.min(penaltyMax, 2 ** candidate.failures)
        } else if (result === 'succeeded') {
          candidate.failures = 0
          candidate.penalty = wornOff(candidate.penalty / 2)
        }
      },
    }
  }

  return {
    name: 'least-active',

    update(endpoints) {
      const next = new Map<string, Candidate>()
      for (const endpoint of endpoints) {
        const candidate = states.get(endpoint.id) ?? {
          endpoint,
          active: 0,
          penalty: 0,
          failures: 0,
        }
        candidate.endpoint = endpoint
        next.set(endpoint.id, candidate)
      }
      states = next
      candidates = [...next.values()].filter(({ endpoint }) => endpoint.weight > 0)
      const weights = candidates.map(({ endpoint }) => endpoint.weight)
      weightMin = weights.reduce((least, weight) => Math.min(least, weight), 1_000)
      const isEven = weights.every((weight) => weight === weights[0])
      byWeight = isEven ? undefined : aliasTable(weights)
    },

    pick(exclude) {
      const candidate = choose(exclude)
      return candidate && choiceOf(candidate)
    },

    inFlight: () => total,
    inFlightOf: (id) => states.get(id)?.active ?? 0,
  }
}

/** Below a tenth of a call nothing is left, so that it does not break ties for ever. */
function wornOff(penalty: number): number {
  return penalty < 0.1 ? 0 : penalty * wornOffPerLook
}
