/**
 * A broker like RabbitMQ with quorum queues, or NATS: three nodes, work for many consumers, and every
 * message at least once. Often more than once, and then not in its place.
 *
 * Models: channels, whose deliveries go back as soon as the connection is lost or silent; prefetch; a
 * failover, after which everything that was not settled is handed out again; redelivery behind whatever
 * waits; confirms that are lost on the way, so that a publication or a settlement is unknown; native delay,
 * priority, dead letters, count of attempts and dedup by id. Order by key is refused.
 * Leaves out: exchanges and routing, consumers that are pushed to, lazy and classic queues, flow control,
 * memory alarms, each node's own clock, and the vote itself.
 */
import { requireInteger } from '../../ports/arguments.ts'
import type { WorkCapabilities, WorkStore } from '../../ports/work-store.ts'
import type { Process, World } from '../../simulation/world.ts'
import { brokerClient } from './broker-client.ts'
import type { BrokerFlaw } from './broker-flights.ts'
import { brokerNode } from './broker-node.ts'
import type { BrokerQueue } from './broker-queue.ts'
import { type Engine, engine } from './engine.ts'
import { anyOf, ensemble } from './ensemble.ts'

export interface BrokerEngineOptions {
  /** Its machines are this with `-1`, `-2` and `-3`. Default `broker`. */
  readonly machine?: string
  /** Deliveries that one client may have in hand. 1 to 65_535, default 1_000. */
  readonly prefetch?: number
  /** After so long a silence of a client its deliveries go back. 500 to 60_000, default 2_000. */
  readonly heartbeatMs?: number
  /** How long the leading node is silent before another takes over. 500 to 60_000, default 1_500. */
  readonly electionMs?: number
}

export interface BrokerEngineStores {
  readonly work: WorkStore
  close(): Promise<void>
}

export interface BrokerEngine extends Engine<BrokerEngineStores> {
  /** The processes of its nodes, to kill or pause. */
  readonly nodes: readonly Process[]
  /** The node that leads the queues, if any does. */
  leader(): Process | undefined
  /** Lets another node lead, though nobody died: all deliveries under way are redelivered. */
  failOver(): void
}

const port = 5_672

export function brokerEngine(world: World, options: BrokerEngineOptions = {}): BrokerEngine {
  return flawedBroker(world, options)
}

/** The same with a bug, to show that a judge finds it. */
export function flawedBroker(
  world: World,
  options: BrokerEngineOptions & { readonly flaw?: BrokerFlaw } = {},
): BrokerEngine {
  const { machine = 'broker', prefetch = 1_000, heartbeatMs = 2_000, electionMs = 1_500 } = options
  requireInteger('prefetch', prefetch, 1, 65_535)
  requireInteger('heartbeatMs', heartbeatMs, 500, 60_000)
  requireInteger('electionMs', electionMs, 500, 60_000)
  const namespaces = new Map<string, Map<string, BrokerQueue>>()
  const { flaw } = options
  const nodes = ensemble(world, {
    machine,
    port,
    electionMs,
    serve(leader, namespace) {
      const queues = namespaces.get(namespace) ?? new Map<string, BrokerQueue>()
      namespaces.set(namespace, queues)
      const bug = flaw === undefined ? {} : { flaw }
      return brokerNode(leader, { queues, prefetch, heartbeatMs, ...bug })
    },
  })
  const shared = engine<BrokerEngineStores>({
    name: 'broker-like',
    machines: nodes.machines,
    address: anyOf(nodes.addresses),
    stores(runtime, link) {
      const work = brokerClient(runtime, link, { capabilities, beatMs: heartbeatMs / 4 })
      return {
        work,
        async close() {
          work.stop()
          link.close()
        },
      }
    },
  })
  return { ...shared, nodes: nodes.members, leader: nodes.leader, failOver: nodes.changeLeader }
}

const capabilities: WorkCapabilities = {
  delay: 'native',
  priority: 'native',
  attempts: 'native',
  dedup: 'native',
  orderByKey: 'refused',
  durability:
    'a majority keeps what was confirmed; a delivery is good only as long as its connection is',
}
