/**
 * The serving side of a node: one RPC server for all its services, found through the registry. It leaves
 * in the order that loses no call: out of the registry first, then a moment for the news to spread, then
 * finish what is in hand.
 */
import type { Observer } from '../observability/index.ts'
import type { Registry } from '../ports/registry.ts'
import { type Runtime, sleep } from '../runtime/index.ts'
import { type Registration, registration } from '../services/discovery/index.ts'
import { type RpcServer, recentCalls, rpcServer } from '../services/rpc/index.ts'

export interface ServiceHost {
  /** Listens, if anything is served, and registers every service. */
  start(): Promise<void>
  readonly address: string | undefined
  drain(options: { readonly drainMs: number; readonly spreadMs: number }): Promise<void>
}

export interface ServiceHostOptions {
  readonly runtime: Runtime
  readonly registry: Registry
  readonly observer: Observer
  readonly listen: string
  /** How long after a process's death its services are still listed. */
  readonly registrationTtlMs: number
  readonly services: readonly HostedService[]
}

export interface HostedService {
  readonly name: string
  serveOn(server: RpcServer): void
}

export function serviceHost(options: ServiceHostOptions): ServiceHost {
  const { runtime, registry, observer, listen, services, registrationTtlMs: ttlMs } = options
  let server: RpcServer | undefined
  let registrations: readonly Registration[] = []

  return {
    get address() {
      return server?.address
    },
    async start() {
      if (services.length === 0) return
      server = await rpcServer(runtime, {
        address: listen,
        observer,
        idempotency: recentCalls(runtime),
      })
      for (const service of services) service.serveOn(server)
      const { address } = server
      const { process: instance } = runtime.identity
      registrations = await Promise.all(
        services.map(({ name }) =>
          registration(runtime, registry, { service: name, instance, address, ttlMs, observer }),
        ),
      )
    },
    async drain({ drainMs, spreadMs }) {
      if (server === undefined) return
      await Promise.all(registrations.map((entry) => entry.deregister()))
      await sleep(runtime.timers, spreadMs)
      await server.drain({ timeoutMs: drainMs })
      await Promise.all(registrations.map((entry) => entry.close()))
    },
  }
}
