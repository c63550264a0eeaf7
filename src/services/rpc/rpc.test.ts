import { describe, expect, expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import {
  CancelledError,
  DeadlineExceededError,
  InvalidArgumentError,
  LimitExceededError,
  OutcomeUnknownError,
  SchemaMismatchError,
  UnavailableError,
} from '../../errors.ts'
import { sleep } from '../../runtime/sleep.ts'
import { inVirtualTime } from '../../testing/index.ts'
import { changingSource, endpointAt, rotation } from './fixture.sim.ts'
import {
  type Handlers,
  procedure,
  RpcApplicationError,
  type RpcClient,
  RpcRemoteError,
  rpcClient,
  rpcServer,
  service,
  UnimplementedError,
} from './index.ts'
import { ADDRESS, failureOf, type Inventory, inventory, withServer } from './inventory.sim.ts'

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

  it('RP-8: infers its types from any Standard Schema', () => {
    const inferred = service('inferred', {
      version: 1,
      procedures: { a: procedure({ input: z.object({ n: z.number() }), output: z.bigint() }) },
    })
    type Client = RpcClient<(typeof inferred)['procedures']>
    expectTypeOf<Parameters<Client['a']>[0]>().toEqualTypeOf<{ n: number }>()
    expectTypeOf<ReturnType<Client['a']>>().toEqualTypeOf<Promise<bigint>>()
  })

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
