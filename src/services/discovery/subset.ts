/**
 * A thousand clients that each connect to a thousand endpoints are a million connections. A subset
 * gives each client a few, so that every endpoint is in about as many subsets as any other.
 *
 * Clients are numbered and take turns: in each round the endpoints are shuffled, the same way for all,
 * and dealt out, so that each endpoint goes to at most one client of the round. (Google SRE book,
 * chapter 20, "Deterministic subsetting".) The shuffle sorts by hash, so that an endpoint that comes or
 * goes moves the border between neighbours by one, and not everything.
 */
import { requireInteger, requireText } from '../../ports/arguments.ts'
import type { Endpoint, EndpointSource } from '../endpoint.ts'

export interface SubsetOptions {
  /** How many endpoints to keep, 1 to 10_000. All, if there are no more than these. */
  readonly size: number
  /**
   * Which client this is. Numbered 0, 1, 2, … the subsets are even to one client per endpoint and
   * round; a text is hashed to a number, and they are even only on average.
   */
  readonly clientId: number | string
}

/** @throws {InvalidArgumentError} */
export function subset(source: EndpointSource, options: SubsetOptions): EndpointSource {
  const { size, clientId } = options
  requireInteger('size', size, 1, 10_000)
  if (typeof clientId === 'string') requireText('clientId', clientId, 200)
  else requireInteger('clientId', clientId, 0, 4_294_967_295)
  const client = typeof clientId === 'string' ? hash(clientId, 0) : clientId
  let from: readonly Endpoint[] | undefined
  let chosen: readonly Endpoint[] = []

  return {
    endpoints() {
      const all = source.endpoints()
      if (all !== from) {
        const next = choose(all, size, client)
        const isSame =
          next.length === chosen.length && next.every((endpoint, at) => endpoint === chosen[at])
        if (!isSame) chosen = Object.freeze(next)
        from = all
      }
      return chosen
    },
    subscribe: (changed) => source.subscribe(changed),
  }
}

function choose(all: readonly Endpoint[], size: number, client: number): Endpoint[] {
  const subsets = Math.floor(all.length / size)
  if (subsets <= 1) return all.length <= size ? [...all] : shuffled(all, client).slice(0, size)
  const start = (client % subsets) * size
  return shuffled(all, Math.floor(client / subsets)).slice(start, start + size)
}

function shuffled(all: readonly Endpoint[], round: number): Endpoint[] {
  return all
    .map((endpoint) => ({ endpoint, place: hash(endpoint.id, round) }))
    .sort((a, b) => a.place - b.place || (a.endpoint.id < b.endpoint.id ? -1 : 1))
    .map(({ endpoint }) => endpoint)
}

/** FNV-1a, finished as MurmurHash3: 32 bits, the same on every machine and in every version. */
function hash(text: string, salt: number): number {
  let value = 0x811c9dc5 ^ Math.imul(salt + 1, 0x9e3779b9)
  for (let index = 0; index < text.length; index++) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193)
  }
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35)
  return (value ^ (value >>> 16)) >>> 0
}
