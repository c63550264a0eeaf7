import { describe, expect, it } from 'vitest'
import { ClosedError, KeyReusedError, OutcomeUnknownError } from '../../errors.ts'
import { retryBudget } from '../../resilience/index.ts'
import { sleep } from '../../runtime/sleep.ts'
import { inVirtualTime } from '../../testing/index.ts'
import { changingSource, endpointAt, plainRetry, rotation, tally } from './fixture.sim.ts'
import {
  EndpointUnreachableError,
  OverloadedError,
  recentCalls,
  rpcClient,
  rpcServer,
} from './index.ts'
import { ADDRESS, failureOf, inventory, withServer } from './inventory.sim.ts'
import { errorOfAttempts } from './retry.ts'

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

  it('RP-2: a call is unknown if any of its attempts was, whatever the last one was', () => {
    const maybe = new OutcomeUnknownError('reset')
    const never = new OverloadedError('full', { details: { retryAfterMs: 5 } })
    expect(errorOfAttempts([maybe, never])).toMatchObject({
      code: 'overloaded',
      outcome: 'unknown',
    })
    expect(errorOfAttempts([never, never])).toBeInstanceOf(OverloadedError)
    expect(errorOfAttempts([never, maybe])).toBeInstanceOf(OutcomeUnknownError)
    expect(errorOfAttempts([never])).toBe(never)
  })

  it('RY-3: a shared budget keeps retries of a failing service near a tenth', () => {
    let attemptsMade = 0
    return inVirtualTime(async (_, runtime) => {
      const server = await rpcServer(runtime, { address: ADDRESS })
      const fail = (): never => {
        attemptsMade += 1
        throw new Error('down')
      }
      server.serve(inventory, { reserve: fail, read: fail, work: fail })
      const budget = retryBudget(runtime, { ratio: 0.1, minPerSecond: 0, burstMax: 5 })
      const client = rpcClient(runtime, inventory, {
        source: changingSource([endpointAt(ADDRESS)]),
        balancer: rotation(),
        timeoutMs: 1_000,
        retry: { attemptsMax: 4, backoff: () => 5, budget },
      })
      let error = await failureOf(client.read('x'))
      // RY-6: the last error tells of all attempts.
      expect(error.details).toMatchObject({ attempts: 4, codes: Array(4).fill('internal') })
      for (let n = 1; n < 500; n++) error = await failureOf(client.read('x'))
      expect(attemptsMade).toBeGreaterThan(540)
      expect(attemptsMade).toBeLessThanOrEqual(555)
      client.close()
      await server.close()
    })
  })

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

  it('RP-5: a caller that is gone without a word does not hold up a drain', () =>
    inVirtualTime(async (world, runtime) => {
      const server = await rpcServer(runtime, { address: ADDRESS })
      server.serve(inventory, {
        reserve: () => ({ left: 0n }),
        read: (name) => name,
        work: async () => '',
      })
      world.machine('far').process('caller', async (own) => {
        const source = changingSource([endpointAt(ADDRESS)])
        const client = rpcClient(own, inventory, { source, balancer: rotation(), timeoutMs: 1_000 })
        await client.read('x')
        await new Promise(() => {})
      })
      await sleep(runtime.timers, 500)
      world.faults.partition('machine', 'far')
      const startMs = runtime.clock.monotonicMs()
      expect(await server.drain({ timeoutMs: 30_000 })).toEqual({ abandoned: 0 })
      const tookMs = runtime.clock.monotonicMs() - startMs
      expect(tookMs).toBeGreaterThan(900)
      expect(tookMs).toBeLessThan(1_100)
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
