/**
 * One channel for each endpoint a client has used: made when a call first goes there, and let go when the
 * endpoint leaves the list, after the calls under way have ended.
 */
import { ClosedError } from '../../errors.ts'
import type { Observer } from '../../observability/observer.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import type { Balancer, Choice } from '../balancing/balancer.ts'
import type { Endpoint, EndpointSource } from '../endpoint.ts'
import { type Channel, type ChannelOptions, channel } from './channel.ts'

export interface Channels {
  pick(exclude?: ReadonlySet<string>): Choice | undefined
  channel(endpoint: Endpoint): Channel
  /** Calls back once, at the next change of the list. @returns forgets it. */
  whenChanged(changed: () => void): () => void
  describe(): unknown
  close(): void
}

export interface ChannelsOptions extends ChannelOptions {
  readonly source: EndpointSource
  readonly balancer: Balancer
  readonly observer: Observer
}

/** How many channels the snapshot shows. */
const shownMax = 100

export function channels(runtime: Runtime, options: ChannelsOptions): Channels {
  const { source, balancer } = options
  const current = new Map<string, Channel>()
  /** Let go, with calls still under way. */
  const leaving = new Set<Channel>()
  const waiters = new Set<() => void>()
  let closed = false

  function update(): void {
    const endpoints = source.endpoints()
    balancer.update(endpoints)
    const listed = new Set(endpoints.map(({ id }) => id))
    for (const each of leaving) if (each.active === 0) leaving.delete(each)
    for (const [id, each] of current) {
      if (listed.has(id)) continue
      current.delete(id)
      each.leave()
      if (each.active > 0) leaving.add(each)
    }
    const woken = [...waiters]
    waiters.clear()
    for (const wake of woken) wake()
  }

  const unsubscribe = source.subscribe(update)
  update()

  return {
    pick: (exclude) => balancer.pick(exclude),
    channel(endpoint) {
      if (closed) throw new ClosedError('the client was closed')
      const known = current.get(endpoint.id)
      if (known !== undefined) return known
      const made = channel(runtime, endpoint, options)
      current.set(endpoint.id, made)
      return made
    },
    whenChanged(changed) {
      waiters.add(changed)
      return () => waiters.delete(changed)
    },
    describe: () =>
      [...current.values()].slice(0, shownMax).map((each) => ({
        instance: each.endpoint.instance,
        address: each.endpoint.address,
        state: each.state,
        active: each.active,
      })),
    close() {
      closed = true
      unsubscribe()
      for (const each of [...current.values(), ...leaving]) each.close()
      current.clear()
      leaving.clear()
    },
  }
}
