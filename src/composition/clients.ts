/**
 * The calling side of a node: for each service one view of where it is and one retry budget, shared by
 * all its clients here.
 */
import type { Observer } from '../observability/index.ts'
import type { Registry } from '../ports/registry.ts'
import { nextPauseMs, type RetryBudget, retryBudget } from '../resilience/index.ts'
import type { Runtime } from '../runtime/index.ts'
import { leastActive } from '../services/balancing/index.ts'
import { discovery, type ServiceView } from '../services/discovery/index.ts'
import { type Procedures, type RpcClient, rpcClient, type Service } from '../services/rpc/index.ts'

export interface ClientOptions {
  /** For all attempts of a call together. 1 to 3_600_000. */
  readonly timeoutMs: number
  /** Attempts of a call, the first included. 1 to 20. Default 3. */
  readonly attemptsMax?: number
  /** How long a call waits for an instance to appear instead of failing fast. Default 1_000. */
  readonly waitForReadyMs?: number
}

export interface Clients {
  client<P extends Procedures>(service: Service<P>, options: ClientOptions): RpcClient<P>
  close(): void
}

interface Known {
  readonly view: ServiceView
  readonly budget: RetryBudget
}

export function clients(context: {
  readonly runtime: Runtime
  readonly registry: Registry
  readonly observer: Observer
}): Clients {
  const { runtime, registry, observer } = context
  const known = new Map<string, Known>()
  const opened: { close(): void }[] = []

  function knownOf(service: string): Known {
    const found = known.get(service)
    if (found !== undefined) return found
    const view = discovery(runtime, registry, { service, observer })
    const made = { view, budget: retryBudget(runtime, { ratio: 0.2, minPerSecond: 10 }) }
    known.set(service, made)
    return made
  }

  return {
    client(service, { timeoutMs, attemptsMax = 3, waitForReadyMs = 1_000 }) {
      const { view, budget } = knownOf(service.name)
      const backoff = { baseMs: 20, capMs: 1_000, jitter: 'full' } as const
      const client = rpcClient(runtime, service, {
        source: view,
        balancer: leastActive(runtime.random),
        timeoutMs,
        waitForReadyMs,
        observer,
        retry: {
          attemptsMax,
          backoff: (attempt) => nextPauseMs(backoff, runtime.random, attempt, 0),
          budget,
        },
      })
      opened.push(client)
      return client
    },
    close() {
      for (const client of opened) client.close()
      for (const { view } of known.values()) void view.close()
    },
  }
}
