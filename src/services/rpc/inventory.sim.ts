/** A small service, and a server and a client of it in one simulated process, for the tests here. */
import { z } from 'zod'
import { HoldfastError } from '../../errors.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import { inVirtualTime } from '../../simulation/node/index.ts'
import { changingSource, endpointAt, rotation, tally } from './fixture.sim.ts'
import {
  type Handlers,
  type Procedure,
  procedure,
  type RpcCall,
  type RpcClientOptions,
  type RpcServerOptions,
  rpcClient,
  rpcServer,
  type Service,
  service,
} from './index.ts'

export const inventory: Service<{
  readonly reserve: Procedure<{ item: string; count: number }, { left: bigint }>
  readonly read: Procedure<string, string>
  readonly work: Procedure<{ ms: number }, string>
}> = service('inventory', {
  version: 1,
  procedures: {
    reserve: procedure({
      input: z.object({ item: z.string(), count: z.number().int() }),
      output: z.object({ left: z.bigint() }),
    }),
    read: procedure({ input: z.string(), output: z.string(), idempotent: true }),
    work: procedure<{ ms: number }, string>(),
  },
})

export type Inventory = (typeof inventory)['procedures']

export interface Bench {
  readonly runtime: Runtime
  readonly calls: RpcCall[]
  readonly balancer: ReturnType<typeof rotation>
  readonly observer: ReturnType<typeof tally>
  readonly server: Awaited<ReturnType<typeof rpcServer>>
  readonly client: ReturnType<typeof rpcClient<Inventory>>
}

export interface BenchOptions {
  readonly server?: (runtime: Runtime) => Partial<RpcServerOptions>
  readonly client?: Partial<RpcClientOptions>
  readonly handlers?: Partial<Handlers<Inventory>>
}

export const ADDRESS: string = 'machine:7000'

/** A server and a client in one simulated process. */
export function withServer<Value>(
  body: (bench: Bench) => Promise<Value>,
  options: BenchOptions = {},
): Promise<Value> {
  return inVirtualTime(async (_, runtime) => {
    const calls: RpcCall[] = []
    const observer = tally()
    const balancer = rotation()
    const server = await rpcServer(runtime, {
      address: ADDRESS,
      observer,
      ...options.server?.(runtime),
    })
    server.serve(inventory, {
      reserve: ({ count }) => ({ left: 2n ** 60n - BigInt(count) }),
      read: (name) => `${name}!`,
      work: async ({ ms }, call) => {
        calls.push(call)
        await sleep(runtime.timers, ms, { signal: call.signal })
        return 'done'
      },
      ...options.handlers,
    })
    const client = rpcClient(runtime, inventory, {
      source: changingSource([endpointAt(ADDRESS)]),
      balancer,
      timeoutMs: 2_000,
      observer,
      ...options.client,
    })
    try {
      return await body({ runtime, calls, balancer, observer, server, client })
    } finally {
      client.close()
      await server.close()
    }
  })
}

export async function failureOf(work: Promise<unknown>): Promise<HoldfastError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof HoldfastError) return error
  throw new Error('expected a HoldfastError', { cause: error })
}
