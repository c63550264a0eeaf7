/**
 * The front door. `holdfast()` opens the stores, and what it returns has one method for each feature:
 * nothing here but putting together what the other folders offer.
 */
import {
  type Lock,
  type LockOptions,
  withLock as runUnderLock,
  lock as takeLock,
} from '../coordination/index.ts'
import { embeddedDatabase } from '../drivers/embedded/index.ts'
import { ClosedError } from '../errors.ts'
import { type Queue, type QueueOptions, queue } from '../messaging/index.ts'
import { type Observer, silentObserver } from '../observability/index.ts'
import { requireText } from '../ports/arguments.ts'
import type { SqlDatabase } from '../ports/sql-database.ts'
import type { Runtime } from '../runtime/index.ts'
import type { Handlers, Procedures, RpcClient, Service } from '../services/rpc/index.ts'
import {
  type Idempotency,
  type IdempotencyOptions,
  idempotency,
  type SagaEngineOptions,
  type SagaOptions,
  type SagaView,
  saga,
  sagaEngine,
} from '../transactions/index.ts'
import { type BoundSaga, boundSaga, type SagaSlot } from './bound-saga.ts'
import { type ClientOptions, type Clients, clients } from './clients.ts'
import { type HostedService, type ServiceHost, serviceHost } from './service-host.ts'
import { openStores, type PortDrivers, type Stores } from './stores.ts'

export interface HoldfastOptions extends PortDrivers {
  /** Whose keys these are: prefixes every key on every engine. 1 to 100 characters. */
  readonly namespace: string
  /**
   * The embedded file, for every port without a driver. Default `.holdfast/<namespace>.db` below the
   * working folder; required when `NODE_ENV` is `production`.
   */
  readonly path?: string
  /** Name of this process, stable over restarts: `order-1`. Default: made from the program's name. */
  readonly process?: string
  readonly observer?: Observer
  /** Where services listen. Default `127.0.0.1:0`: this machine only, any free port. */
  readonly listen?: string
  /** How long after this process's death its services are still listed. Default 5_000. */
  readonly registrationTtlMs?: number
  readonly sagas?: Omit<SagaEngineOptions, 'observer'>
  /** For the simulator and for tests. Default: Node's. */
  readonly runtime?: Runtime
}

export interface HoldfastNode extends AsyncDisposable {
  readonly runtime: Runtime
  /** The stores underneath, for operators and for features of your own. */
  readonly stores: Stores
  /** Where services listen; `undefined` before `start` or if none is served. */
  readonly address: string | undefined
  /** Waits for the lock, until `signal` aborts. */
  lock(name: string, options: Omit<LockOptions, 'waitMs'>): Promise<Lock>
  /** `undefined` if somebody else has it for `waitMs` (default 0: asks once). */
  tryLock(name: string, options: LockOptions): Promise<Lock | undefined>
  /** Runs `work` under the lock and releases it whatever happens. */
  withLock<Result>(
    name: string,
    options: Omit<LockOptions, 'waitMs'>,
    work: (lock: Lock) => Promise<Result>,
  ): Promise<Result>
  queue<Payload>(name: string, options?: QueueOptions<Payload>): Queue<Payload>
  saga<Input>(name: string, options: SagaOptions<Input>): BoundSaga<Input, Record<never, never>>
  inspectSaga(name: string, id: string): Promise<SagaView | undefined>
  idempotency(options: IdempotencyOptions): Idempotency
  /** A database of your own: one SQLite file, its migrations applied. Closed with the node. */
  database(options: {
    readonly path: string
    readonly migrations: readonly string[]
  }): Promise<SqlDatabase>
  /** Offers a service. Before `start`. */
  serve<P extends Procedures>(service: Service<P>, handlers: Handlers<P>): void
  /** Calls a service wherever the registry says it is. */
  client<P extends Procedures>(service: Service<P>, options: ClientOptions): RpcClient<P>
  /** Sagas run and services are found from here on. */
  start(): Promise<void>
  /**
   * Leaves in good order: out of the registry, calls in hand finished, consumers drained, sagas handed
   * over, files closed. Safe to repeat.
   */
  close(options?: { readonly drainMs?: number; readonly spreadMs?: number }): Promise<void>
}

/** @throws as the drivers do when they are opened. */
export async function holdfast(options: HoldfastOptions): Promise<HoldfastNode> {
  const { namespace, observer = silentObserver, path } = options
  requireText('namespace', namespace, 100)
  const { runtime, production, closeRuntime } = await runtimeOf(options)
  const context = { runtime, namespace, observer }
  const stores = await openStores(context, { ...options, path, production }).catch(
    async (error: unknown) => {
      await closeRuntime()
      throw error
    },
  )
  return nodeOf({ options, runtime, stores, observer, closeRuntime })
}

interface Parts {
  readonly options: HoldfastOptions
  readonly runtime: Runtime
  readonly stores: Stores
  readonly observer: Observer
  closeRuntime(): Promise<void>
}

function nodeOf({ options, runtime, stores, observer, closeRuntime }: Parts): HoldfastNode {
  const { leases, registry, records, work } = stores
  const engine = sagaEngine(runtime, records, { ...options.sagas, observer })
  const sagas: SagaSlot[] = []
  const services: HostedService[] = []
  const queues = consumingQueues()
  const databases: SqlDatabase[] = []
  const calling: Clients = clients({ runtime, registry, observer })
  let host: ServiceHost | undefined
  let closing: Promise<void> | undefined

  const open = (): void => {
    if (closing !== undefined) throw new ClosedError('the node was closed')
  }

  async function closeAll(drainMs: number, spreadMs: number): Promise<void> {
    await host?.drain({ drainMs, spreadMs })
    await queues.stop(drainMs)
    await engine.close()
    calling.close()
    for (const database of databases) await database.close()
    await stores.close()
    await closeRuntime()
  }
  const close: HoldfastNode['close'] = ({ drainMs = 10_000, spreadMs = 200 } = {}) => {
    closing ??= closeAll(drainMs, spreadMs)
    return closing
  }

  return {
    runtime,
    stores,
    get address() {
      return host?.address
    },
    lock: (name, lockOptions) => takeLock(runtime, leases, name, { observer, ...lockOptions }),
    tryLock: (name, lockOptions) =>
      takeLock(runtime, leases, name, { observer, waitMs: 0, ...lockOptions }),
    withLock: (name, lockOptions, section) =>
      runUnderLock(runtime, leases, name, { observer, ...lockOptions }, section),
    queue(name, queueOptions) {
      open()
      return queues.track(queue({ runtime, work, observer }, name, queueOptions))
    },
    saga(name, sagaOptions) {
      open()
      const { saga: bound, slot } = boundSaga(saga(name, sagaOptions))
      sagas.push(slot)
      return bound
    },
    inspectSaga: (name, id) => engine.inspect(name, id),
    idempotency: (idempotencyOptions) => idempotency(runtime, records, idempotencyOptions),
    async database(databaseOptions) {
      const database = await embeddedDatabase(runtime, databaseOptions)
      databases.push(database)
      return database
    },
    serve(service, handlers) {
      services.push({
        name: service.name,
        serveOn: (server) => server.serve(service, handlers),
      })
    },
    client: (service, clientOptions) => calling.client(service, clientOptions),
    async start() {
      open()
      for (const slot of sagas) slot.register(engine)
      // Without sagas there is nothing to take over, and an idle node asks its store nothing.
      if (sagas.length > 0) engine.start()
      const { listen = '127.0.0.1:0', registrationTtlMs = 5_000 } = options
      host = serviceHost({ runtime, registry, observer, listen, registrationTtlMs, services })
      await host.start()
    },
    close,
    [Symbol.asyncDispose]: () => close(),
  }
}

/** Queues whose consumers are stopped with the node. */
function consumingQueues(): {
  track<Payload>(queue: Queue<Payload>): Queue<Payload>
  stop(drainMs: number): Promise<void>
} {
  const stops: ((options: { readonly drainMs: number }) => Promise<void>)[] = []
  return {
    track: (queue) => ({
      ...queue,
      async consume(handle, consumeOptions) {
        const consumer = await queue.consume(handle, consumeOptions)
        stops.push((stopOptions) => consumer.stop(stopOptions))
        return consumer
      },
    }),
    async stop(drainMs) {
      await Promise.all(stops.map((stop) => stop({ drainMs })))
    },
  }
}

async function runtimeOf(options: HoldfastOptions): Promise<{
  readonly runtime: Runtime
  readonly production: boolean
  closeRuntime(): Promise<void>
}> {
  if (options.runtime !== undefined) {
    return { runtime: options.runtime, production: false, closeRuntime: async () => {} }
  }
  // Loaded when needed, so that the front door itself runs in the simulator and in a browser.
  const { isProduction, nodeRuntime } = await import('../runtime/node/index.ts')
  const { process, observer } = options
  const runtime = nodeRuntime({
    ...(process ? { process } : {}),
    ...(observer ? { observer } : {}),
  })
  return { runtime, production: isProduction(), closeRuntime: () => runtime.close() }
}
