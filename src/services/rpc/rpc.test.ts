import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import {
  CancelledError,
  ClosedError,
  DeadlineExceededError,
  HoldfastError,
  InvalidArgumentError,
  KeyReusedError,
  LimitExceededError,
  OutcomeUnknownError,
  SchemaMismatchError,
  UnavailableError,
} from '../../errors.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import { inVirtualTime } from '../../testing/index.ts'
import { changingSource, endpointAt, plainRetry, rotation, tally } from './fixture.sim.ts'
import {
  EndpointUnreachableError,
  type Handlers,
  OverloadedError,
  procedure,
  RpcApplicationError,
  type RpcCall,
  type RpcClientOptions,
  RpcRemoteError,
  type RpcServerOptions,
  recentCalls,
  rpcClient,
  rpcServer,
  service,
  UnimplementedError,
} from './index.ts'

const inventory = service('inventory', {
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

type Inventory = (typeof inventory)['procedures']

interface Bench {
  readonly runtime: Runtime
  readonly calls: RpcCall[]
  readonly balancer: ReturnType<typeof rotation>
  readonly observer: ReturnType<typeof tally>
  readonly server: Awaited<ReturnType<typeof rpcServer>>
  readonly client: ReturnType<typeof rpcClient<Inventory>>
}

interface BenchOptions {
  readonly server?: (runtime: Runtime) => Partial<RpcServerOptions>
  readonly client?: Partial<RpcClientOptions>
  readonly handlers?: Partial<Handlers<Inventory>>
}

const ADDRESS = 'machine:7000'

/** A server and a client in one simulated process. */
function withServer<Value>(
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

async function failureOf(work: Promise<unknown>): Promise<HoldfastError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof HoldfastError) return error
  throw new Error('expected a HoldfastError', { cause: error })
}

describe('a call', () => {
  it('RP-8: is typed by the service and checked against it on both sides', () =>
    withServer(
      async ({ client, observer }) => {
        const { left } = await client.reserve({ item: 'apple', count: 3 })
        const typed: bigint = left
        expect(typed).toBe(2n ** 60n - 3n)
        // @ts-expect-error: the compiler refuses it, and so does the server.
        const wrong = await failureOf(client.reserve({ item: 'apple', count: 'three' }))
        expect(wrong).toBeInstanceOf(SchemaMismatchError)
        expect(wrong.message).toContain('input of inventory/reserve')
        const lie = await failureOf(client.read('apple'))
        expect(lie).toBeInstanceOf(SchemaMismatchError)
        expect(lie.message).toContain('output of inventory/read')
        expect(observer.counted('rpcCalls', { outcome: 'ok' })).toBe(1)
        expect(observer.counted('rpcCalls', { outcome: 'invalid' })).toBe(2)
      },
      { handlers: { read: () => 7 as unknown as string } },
    ))

  it('carries headers, caller, call id and attempt', () =>
    withServer(async ({ client, calls }) => {
      await client.work({ ms: 0 }, { headers: { traceparent: '00-é' }, callId: 'pay/é' })
      expect(calls[0]).toMatchObject({
        headers: { traceparent: '00-é' },
        callId: 'pay/é',
        attempt: 1,
      })
      expect(calls[0]?.caller).toContain('machine')
    }))

  it('shares one connection with thousands of others, answers matched', () =>
    withServer(async ({ client, observer }) => {
      const names = Array.from({ length: 3_000 }, (_, n) => `n${n}`)
      const got = await Promise.all(names.map((name) => client.read(name)))
      expect(got).toEqual(names.map((name) => `${name}!`))
      expect(observer.read('rpc')).toMatchObject([{ role: 'server', connections: 1 }, {}])
    }))

  it('RP-3: large messages go both ways and do not hold up small ones', () =>
    withServer(async ({ client }) => {
      const large = 'x'.repeat(3_000_000)
      const order: string[] = []
      const slow = client.read(large).then((answer) => {
        order.push('large')
        return answer
      })
      for (let n = 0; n < 3; n++) await client.read('small').then(() => order.push('small'))
      expect((await slow).length).toBe(large.length + 1)
      expect(order).toEqual(['small', 'small', 'small', 'large'])
    }))

  it('RP-3: ten large messages at a time arrive whole', () =>
    withServer(async ({ client }) => {
      const texts = Array.from({ length: 10 }, (_, n) => String(n).repeat(200_000 + n))
      const got = await Promise.all(texts.map((text) => client.read(text)))
      expect(got.map((text) => text.length)).toEqual(texts.map((text) => text.length + 1))
    }))

  it('RP-3: refuses what is too large, before it leaves and before it comes back', () =>
    withServer(
      async ({ client }) => {
        const sent = await failureOf(client.read('x'.repeat(200_000)))
        expect(sent).toBeInstanceOf(LimitExceededError)
        expect(sent.outcome).toBe('not-applied')
        const answer = await failureOf(client.read('long answer'))
        expect(answer.outcome).toBe('unknown')
        expect(await client.work({ ms: 1 })).toBe('done')
      },
      {
        server: () => ({ limits: { messageBytesMax: 100_000 } }),
        client: { limits: { messageBytesMax: 50_000 } },
        handlers: { read: () => 'y'.repeat(60_000) },
      },
    ))
})

describe('a deadline', () => {
  it('RP-1: travels as remaining time, and stops the procedure when it passes', () =>
    withServer(async ({ client, calls, runtime }) => {
      const startMs = runtime.clock.monotonicMs()
      const error = await failureOf(client.work({ ms: 10_000 }, { timeoutMs: 100 }))
      expect(error).toBeInstanceOf(DeadlineExceededError)
      expect(error.outcome).toBe('unknown')
      expect(runtime.clock.monotonicMs() - startMs).toBeLessThan(110)
      await sleep(runtime.timers, 20)
      expect(calls[0]?.signal.aborted).toBe(true)
      expect(calls[0]?.remainingMs()).toBe(0)
    }))

  it('RP-1: of a nested call is the earlier of its own and that of its parent, and ends with it', () =>
    inVirtualTime(async (_, runtime) => {
      const server = await rpcServer(runtime, { address: ADDRESS })
      const source = changingSource([endpointAt(ADDRESS)])
      const client = rpcClient(runtime, inventory, {
        source,
        balancer: rotation(),
        timeoutMs: 5_000,
      })
      const leftMs: number[] = []
      const inner: AbortSignal[] = []
      server.serve(inventory, {
        reserve: () => ({ left: 0n }),
        read: async (name, call) => {
          await sleep(runtime.timers, 100)
          return name === 'deep' ? client.work({ ms: 60_000 }, { parent: call }) : name
        },
        work: async ({ ms }, call) => {
          leftMs.push(call.remainingMs())
          inner.push(call.signal)
          await sleep(runtime.timers, ms, { signal: call.signal })
          return ''
        },
      })
      await failureOf(client.read('deep', { timeoutMs: 300 }))
      expect(leftMs[0]).toBeGreaterThan(150)
      expect(leftMs[0]).toBeLessThanOrEqual(200)
      await sleep(runtime.timers, 20)
      expect(inner[0]?.aborted).toBe(true)
      const stop = new AbortController()
      const pending = failureOf(client.read('deep', { signal: stop.signal }))
      await sleep(runtime.timers, 150)
      stop.abort()
      await pending
      await sleep(runtime.timers, 20)
      expect(inner[1]?.aborted).toBe(true)
      client.close()
      await server.close()
    }))

  it('RP-1: a cancelled call aborts its procedure', () =>
    withServer(async ({ client, calls, balancer, runtime }) => {
      const stop = new AbortController()
      const pending = failureOf(client.work({ ms: 10_000 }, { signal: stop.signal }))
      await sleep(runtime.timers, 50)
      stop.abort(new Error('changed my mind'))
      const error = await pending
      expect(error).toBeInstanceOf(OutcomeUnknownError)
      await sleep(runtime.timers, 10)
      expect(calls[0]?.signal.aborted).toBe(true)
      expect(balancer.results).toEqual(['cancelled'])
      const before = await failureOf(client.work({ ms: 1 }, { signal: stop.signal }))
      expect(before).toBeInstanceOf(CancelledError)
      expect(calls.length).toBe(1)
    }))
})

describe('an error', () => {
  it('RP-6: of the application arrives with code, outcome and details; others without secrets', () =>
    withServer(
      async ({ client }) => {
        const refused = await failureOf(client.reserve({ item: 'a', count: 1 }))
        expect(refused).toBeInstanceOf(RpcApplicationError)
        expect(refused).toMatchObject({
          code: 'sold-out',
          outcome: 'not-applied',
          details: { left: 0 },
        })
        const broken = await failureOf(client.read('x'))
        expect(broken).toBeInstanceOf(RpcRemoteError)
        expect(broken).toMatchObject({ code: 'internal', outcome: 'unknown' })
        expect(broken.message).not.toContain('password')
        expect(JSON.stringify(broken)).not.toContain('rpc.test.ts')
        // What a procedure leaks from its own calls does not prove that it did nothing itself.
        const leaked = await failureOf(client.work({ ms: 1 }))
        expect(leaked).toMatchObject({ code: 'unavailable', outcome: 'unknown' })
      },
      {
        handlers: {
          reserve: () => {
            throw new RpcApplicationError('sold-out', 'nothing left', {
              outcome: 'not-applied',
              details: { left: 0 },
            })
          },
          read: () => {
            throw new Error('password=1234')
          },
          work: () => {
            throw new UnavailableError('the database is away')
          },
        },
      },
    ))

  it('RP-2: another version or procedure is refused, not guessed', () =>
    withServer(async ({ runtime, server }) => {
      const newer = service('inventory', { version: 2, procedures: inventory.procedures })
      const client = rpcClient(runtime, newer, {
        source: changingSource([endpointAt(server.address)]),
        balancer: rotation(),
        timeoutMs: 1_000,
      })
      expect(await failureOf(client.read('x'))).toBeInstanceOf(UnimplementedError)
      server.serve(newer, {
        reserve: () => ({ left: 0n }),
        read: () => 'v2',
        work: async () => '',
      })
      expect(await client.read('x')).toBe('v2')
      client.close()
    }))

  it('bad input is refused at the door', () =>
    withServer(async ({ client, server }) => {
      for (const options of [{ timeoutMs: 0 }, { callId: ' ' }, { callId: 'x'.repeat(81) }]) {
        expect(await failureOf(client.read('x', options))).toBeInstanceOf(InvalidArgumentError)
      }
      const headers = { long: 'x'.repeat(9_000) }
      expect(await failureOf(client.read('x', { headers }))).toBeInstanceOf(InvalidArgumentError)
      expect(() => service('a b', { version: 1, procedures: {} })).toThrow(InvalidArgumentError)
      expect(() => service('a', { version: 1, procedures: { close: procedure() } })).toThrow(
        InvalidArgumentError,
      )
      expect(() => server.serve(inventory, {} as Handlers<Inventory>)).toThrow(InvalidArgumentError)
    }))
})

describe('delivery', () => {
  it('RP-2: nobody there is not applied, at once; or waited for if asked', () =>
    inVirtualTime(async (_, runtime) => {
      const source = changingSource([])
      const common = { source, balancer: rotation(), timeoutMs: 5_000 }
      const eager = rpcClient(runtime, inventory, common)
      expect(await failureOf(eager.read('x'))).toBeInstanceOf(EndpointUnreachableError)
      source.set([endpointAt(ADDRESS)])
      expect(await failureOf(eager.read('x'))).toMatchObject({ outcome: 'not-applied' })
      // RP-4: in the rest after a failure calls fail without another connect, and learn how long.
      const resting = await failureOf(eager.read('x'))
      expect(resting.details.retryAfterMs).toBeGreaterThan(0)

      const patient = rpcClient(runtime, inventory, {
        ...common,
        balancer: rotation(),
        waitForReadyMs: 4_000,
      })
      const answer = patient.read('x')
      await sleep(runtime.timers, 1_000)
      const server = await rpcServer(runtime, { address: ADDRESS })
      server.serve(inventory, {
        reserve: () => ({ left: 0n }),
        read: (name) => name,
        work: async () => '',
      })
      expect(await answer).toBe('x')
      eager.close()
      patient.close()
      await server.close()
    }))

  it('RP-2: a refused call is tried again, an unknown one only if idempotent', () =>
    withServer(
      async ({ client, calls }) => {
        expect(await client.read('x')).toBe('x after 3')
        const error = await failureOf(client.work({ ms: 0 }))
        expect(error.outcome).toBe('unknown')
        expect(calls.length).toBe(0)
      },
      {
        client: { retry: plainRetry(5) },
        handlers: {
          read: (name, call) => {
            if (call.attempt < 3) throw new Error('not yet')
            return `${name} after ${call.attempt}`
          },
          work: (_, call) => {
            expect(call.attempt).toBe(1)
            throw new Error('once')
          },
        },
      },
    ))

  it('RP-2: an idempotency key is executed once by a server that remembers', () => {
    let runs = 0
    return withServer(
      async ({ client, runtime }) => {
        const both = [1, 2].map(() => client.work({ ms: 50 }, { callId: 'order-1' }))
        expect(await Promise.all(both)).toEqual(['run 1', 'run 1'])
        expect(await client.work({ ms: 50 }, { callId: 'order-1' })).toBe('run 1')
        expect(await client.work({ ms: 50 }, { callId: 'order-2' })).toBe('run 2')
        const reused = await failureOf(client.work({ ms: 51 }, { callId: 'order-1' }))
        expect(reused).toBeInstanceOf(KeyReusedError)
        await sleep(runtime.timers, 2_000)
        expect(await client.work({ ms: 50 }, { callId: 'order-1' })).toBe('run 3')
      },
      {
        server: (runtime) => ({ idempotency: recentCalls(runtime, { ttlMs: 1_000 }) }),
        handlers: { work: async () => `run ${++runs}` },
      },
    )
  })

  it('a closed client ends its calls and takes no more', () =>
    withServer(async ({ client, runtime, balancer }) => {
      const pending = failureOf(client.work({ ms: 10_000 }))
      await sleep(runtime.timers, 20)
      client.close()
      expect(await pending).toBeInstanceOf(OutcomeUnknownError)
      expect(await failureOf(client.read('x'))).toBeInstanceOf(ClosedError)
      expect(balancer.open).toBe(0)
    }))
})

describe('overload', () => {
  it('RP-9: a full queue refuses at once, with a hint when to come again', () =>
    withServer(
      async ({ client, calls, observer }) => {
        const outcomes = await Promise.all(
          Array.from({ length: 10 }, () => client.work({ ms: 100 }).catch((error) => error)),
        )
        const refused = outcomes.filter((each) => each instanceof OverloadedError)
        expect(refused.length).toBe(5)
        expect(refused[0]?.details.retryAfterMs).toBeGreaterThan(0)
        expect(calls.length).toBe(5)
        expect(observer.counted('rpcCallsRefused')).toBe(5)
      },
      { server: () => ({ limits: { concurrencyMax: 2, queueMax: 3 } }) },
    ))

  it('RP-9: work whose caller has gone or whose time is over is never begun', () =>
    withServer(
      async ({ client, calls, observer, runtime }) => {
        const running = client.work({ ms: 500 })
        await sleep(runtime.timers, 10)
        const stop = new AbortController()
        const gone = failureOf(client.work({ ms: 1 }, { signal: stop.signal }))
        const late = failureOf(client.work({ ms: 1 }, { timeoutMs: 100 }))
        await sleep(runtime.timers, 50)
        stop.abort()
        await Promise.all([gone, late, running])
        expect(calls.length).toBe(1)
        expect(await client.work({ ms: 1 })).toBe('done')
        expect(calls.length).toBe(2)
        expect(observer.counted('rpcCallsDropped')).toBe(2)
      },
      { server: () => ({ limits: { concurrencyMax: 1 } }) },
    ))

  it('LB-2: under random cancels everything that was counted up is counted down', () =>
    withServer(
      async ({ client, balancer, observer, runtime }) => {
        const one = async (): Promise<void> => {
          const stop = new AbortController()
          const delayMs = runtime.random.fraction('test') * 60
          runtime.timers.schedule(delayMs, () => stop.abort())
          const ms = Math.floor(runtime.random.fraction('test') * 60)
          await client.work({ ms }, { signal: stop.signal, timeoutMs: 40 }).catch(() => {})
        }
        for (let round = 0; round < 20; round++) {
          await Promise.all(Array.from({ length: 25 }, one))
        }
        await sleep(runtime.timers, 1_000)
        expect([balancer.open, balancer.doubled]).toEqual([0, 0])
        expect(observer.read('rpc')).toMatchObject([
          { role: 'server', running: 0, queued: 0 },
          { role: 'client', endpoints: [{ active: 0 }] },
        ])
      },
      { server: () => ({ limits: { concurrencyMax: 8, queueMax: 8 } }) },
    ))
})

describe('goodbye', () => {
  it('RP-5: drain finishes what was accepted, refuses the rest as not applied, and ends', () =>
    withServer(async ({ client, server, runtime, observer }) => {
      const accepted = client.work({ ms: 300 })
      await sleep(runtime.timers, 20)
      const drained = server.drain({ timeoutMs: 1_000 })
      const late = await failureOf(client.read('late'))
      expect(late.outcome).toBe('not-applied')
      expect(await accepted).toBe('done')
      expect(await drained).toEqual({ abandoned: 0 })
      expect(observer.read('rpc')).toMatchObject([{ role: 'client' }])
    }))

  it('RP-5: drain gives up in time and says how many it gave up', () =>
    withServer(async ({ client, server, runtime, calls }) => {
      const pending = failureOf(client.work({ ms: 60_000 }, { timeoutMs: 60_000 }))
      await sleep(runtime.timers, 20)
      expect(await server.drain({ timeoutMs: 500 })).toEqual({ abandoned: 1 })
      expect((await pending).outcome).toBe('unknown')
      expect(calls[0]?.signal.aborted).toBe(true)
    }))

  it('an endpoint that leaves the list keeps its calls, then loses its connection', () =>
    inVirtualTime(async (_, runtime) => {
      const observer = tally()
      const server = await rpcServer(runtime, { address: ADDRESS, observer })
      server.serve(inventory, {
        reserve: () => ({ left: 0n }),
        read: (name) => name,
        work: async ({ ms }) => {
          await sleep(runtime.timers, ms)
          return 'done'
        },
      })
      const source = changingSource([endpointAt(ADDRESS)])
      const balancer = rotation()
      const client = rpcClient(runtime, inventory, { source, balancer, timeoutMs: 5_000 })
      const pending = client.work({ ms: 500 })
      await sleep(runtime.timers, 20)
      source.set([])
      expect(observer.read('rpc')).toMatchObject([{ connections: 1 }])
      expect(await pending).toBe('done')
      await sleep(runtime.timers, 100)
      expect(observer.read('rpc')).toMatchObject([{ connections: 0 }])
      client.close()
      await server.close()
    }))

  it('RP-4: an old connection is replaced without failing a call', () =>
    withServer(
      async ({ client, runtime, observer }) => {
        for (let n = 0; n < 100; n++) {
          expect(await client.work({ ms: 30 })).toBe('done')
          await sleep(runtime.timers, 20)
        }
        expect(observer.read('rpc')).toMatchObject([{ connections: 1 }, {}])
      },
      { client: { connectionAgeMaxMs: 500 } },
    ))
})
