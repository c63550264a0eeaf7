/**
 * One immutable list after another, and those who wait for the first or listen for the next. The same
 * array is handed out until something differs, so a reader may compare arrays by identity.
 */
import { CancelledError } from '../../errors.ts'
import type { Endpoint } from '../endpoint.ts'

/** What changed between two lists, by endpoint id. */
export interface EndpointDiff {
  readonly added: readonly Endpoint[]
  readonly removed: readonly Endpoint[]
  /** The new description of endpoints whose weight, address or metadata changed. */
  readonly updated: readonly Endpoint[]
}

export interface EndpointList {
  endpoints(): readonly Endpoint[]
  /** @returns `undefined` if nothing differs. */
  replace(endpoints: readonly Endpoint[]): EndpointDiff | undefined
  subscribe(changed: (diff: EndpointDiff) => void): () => void
  /** The list, whatever it is, is now known. */
  settle(): void
  settled(signal?: AbortSignal): Promise<void>
  /** Those who wait and those who come later are refused, unless the list is known. */
  close(reason: unknown): void
}

export function endpointList(): EndpointList {
  let current: readonly Endpoint[] = Object.freeze([])
  let first: 'waiting' | 'known' | { readonly reason: unknown } = 'waiting'
  const listeners = new Set<(diff: EndpointDiff) => void>()
  const waiters = new Set<() => void>()

  function end(outcome: typeof first): void {
    if (first !== 'waiting') return
    first = outcome
    for (const wake of [...waiters]) wake()
  }

  return {
    endpoints: () => current,

    replace(endpoints) {
      const diff = diffOf(current, endpoints)
      if (diff === undefined) return undefined
      current = Object.freeze([...endpoints])
      for (const changed of [...listeners]) changed(diff)
      return diff
    },

    subscribe(changed) {
      // Wrapped, so that one callback given twice is two subscriptions.
      const listener = (diff: EndpointDiff): void => changed(diff)
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },

    settle: () => end('known'),
    close(reason) {
      end({ reason })
      listeners.clear()
    },

    settled(signal) {
      return new Promise((resolve, reject) => {
        const answer = (): void => {
          waiters.delete(answer)
          signal?.removeEventListener('abort', abort)
          if (typeof first === 'object') reject(first.reason)
          else resolve()
        }
        const abort = (): void => {
          waiters.delete(answer)
          reject(new CancelledError('the wait was aborted', { cause: signal?.reason }))
        }
        if (first !== 'waiting') return answer()
        if (signal?.aborted) return abort()
        waiters.add(answer)
        signal?.addEventListener('abort', abort, { once: true })
      })
    },
  }
}

function diffOf(before: readonly Endpoint[], after: readonly Endpoint[]): EndpointDiff | undefined {
  const former = new Map(before.map((endpoint) => [endpoint.id, endpoint]))
  const added: Endpoint[] = []
  const updated: Endpoint[] = []
  for (const endpoint of after) {
    const known = former.get(endpoint.id)
    if (known === undefined) added.push(endpoint)
    else if (!isSame(known, endpoint)) updated.push(endpoint)
    former.delete(endpoint.id)
  }
  const removed = [...former.values()]
  const isEqual = added.length + removed.length + updated.length === 0
  return isEqual ? undefined : { added, removed, updated }
}

function isSame(left: Endpoint, right: Endpoint): boolean {
  if (left === right) return true
  if (left.weight !== right.weight || left.address !== right.address) return false
  const [a, b] = [Object.entries(left.metadata), right.metadata]
  return a.length === Object.keys(b).length && a.every(([key, value]) => b[key] === value)
}
