/** What the tests of this folder share: a balancer that takes turns, a list that can change, a tally. */
import type { Labels, Observer } from '../../observability/observer.ts'
import type { Balancer } from '../balancing/balancer.ts'
import type { Endpoint, EndpointSource } from '../endpoint.ts'
import type { RetryPolicy } from './retry.ts'

export function endpointAt(address: string, id: string = address): Endpoint {
  return { id, address, weight: 100, instance: id, metadata: {} }
}

export interface Rotation extends Balancer {
  /** Choices not yet finished. */
  readonly open: number
  /** How often a choice was finished twice. */
  readonly doubled: number
  readonly results: readonly string[]
}

export function rotation(): Rotation {
  let endpoints: readonly Endpoint[] = []
  let at = 0
  let open = 0
  let doubled = 0
  const results: string[] = []
  return {
    name: 'rotation',
    update(next) {
      endpoints = next
    },
    pick(exclude) {
      const free = endpoints.filter(({ id, weight }) => weight > 0 && !exclude?.has(id))
      const from = free.length > 0 ? free : endpoints.filter(({ weight }) => weight > 0)
      const endpoint = from[at++ % Math.max(1, from.length)]
      if (endpoint === undefined) return undefined
      open += 1
      let finished = false
      return {
        endpoint,
        finish(result) {
          if (finished) doubled += 1
          else open -= 1
          finished = true
          results.push(result)
        },
      }
    },
    get open() {
      return open
    },
    get doubled() {
      return doubled
    },
    get results() {
      return results
    },
  }
}

export interface ChangingSource extends EndpointSource {
  set(endpoints: readonly Endpoint[]): void
}

export function changingSource(endpoints: readonly Endpoint[]): ChangingSource {
  let current = endpoints
  const subscribers = new Set<() => void>()
  return {
    endpoints: () => current,
    subscribe(changed) {
      subscribers.add(changed)
      return () => subscribers.delete(changed)
    },
    set(next) {
      current = next
      for (const changed of subscribers) changed()
    },
  }
}

/** Retries with a fixed pause and no budget. */
export function plainRetry(attemptsMax: number, pauseMs = 10): RetryPolicy {
  return {
    attemptsMax,
    backoff: () => pauseMs,
    budget: { requested() {}, tryTake: () => true },
  }
}

export interface Tally extends Observer {
  counted(name: string, labels?: Labels): number
  read(section: string): readonly unknown[]
  readonly events: readonly string[]
}

export function tally(): Tally {
  const counts: { name: string; labels: Labels; by: number }[] = []
  const views = new Set<{ section: string; read: () => unknown }>()
  const events: string[] = []
  return {
    events,
    event: (name) => void events.push(name),
    count: (name, labels = {}, by = 1) => void counts.push({ name, labels, by }),
    measure() {},
    snapshot(section, read) {
      const view = { section, read }
      views.add(view)
      return () => views.delete(view)
    },
    counted: (name, labels = {}) =>
      counts
        .filter((each) => each.name === name)
        .filter((each) => Object.entries(labels).every(([key, text]) => each.labels[key] === text))
        .reduce((sum, { by }) => sum + by, 0),
    read: (section) => [...views].filter((v) => v.section === section).map(({ read }) => read()),
  }
}
