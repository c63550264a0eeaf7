import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HoldfastError } from '../../errors.ts'
import type { ByteStream } from '../../runtime/network.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import { inVirtualTime } from '../../testing/index.ts'
import { changingSource, endpointAt, rotation, tally } from './fixture.sim.ts'
import { procedure, rpcClient, rpcServer, service } from './index.ts'
import { encodeRequest, routeBytes } from './request.ts'
import {
  chunkBytes,
  encodeHello,
  frameHeadBytes,
  frameKind,
  moreFlag,
  windowBytes,
  writeHead,
} from './wire.ts'

const ADDRESS = 'machine:7000'
const echo = service('echo', {
  version: 1,
  procedures: { echo: procedure<string, string>({ idempotent: true }) },
})

interface Raw {
  readonly stream: ByteStream
  send(kind: number, flags: number, id: number, body: Uint8Array): void
  readonly received: () => number
  readonly over: () => boolean
}

/** A peer that writes whatever it likes. */
async function rawPeer(runtime: Runtime): Promise<Raw> {
  const stream = await runtime.network.connect(ADDRESS, { timeoutMs: 1_000 })
  let over = false
  let received = 0
  const done = (): void => {
    over = true
  }
  stream.receive({ data: (bytes) => (received += bytes.length), ended: done, failed: done })
  return {
    stream,
    send(kind, flags, id, body) {
      const frame = new Uint8Array(frameHeadBytes + body.length)
      writeHead(frame, 0, { length: body.length, kind, flags, id })
      frame.set(body, frameHeadBytes)
      stream.write(frame)
    },
    received: () => received,
    over: () => over,
  }
}

const hello = encodeHello({
  frameBytesMax: 65_536,
  messageBytesMax: 1_000_000,
  windowBytes,
  codec: 'json/1',
  name: 'stranger',
})

const request = encodeRequest(
  {
    route: routeBytes('echo/echo'),
    version: 1,
    attempt: 1,
    callId: 'x',
    keyed: false,
    headers: new Uint8Array(0),
    payload: new TextEncoder().encode('\0"hi"'),
  },
  1_000,
)

async function echoServer(runtime: Runtime, observer = tally()) {
  const server = await rpcServer(runtime, { address: ADDRESS, observer })
  server.serve(echo, { echo: (text) => text })
  const client = rpcClient(runtime, echo, {
    source: changingSource([endpointAt(ADDRESS)]),
    balancer: rotation(),
    timeoutMs: 1_000,
  })
  const connections = (): number => (observer.read('rpc')[0] as { connections: number }).connections
  return { server, client, observer, connections }
}

describe('a hostile peer', () => {
  it('RP-6: whatever bytes follow a valid beginning cost it its connection at most', () =>
    inVirtualTime(async (_, runtime) => {
      const { server, client, connections } = await echoServer(runtime)
      const frame = fc.record({
        kind: fc.nat(12),
        flags: fc.nat(3),
        id: fc.oneof(fc.nat(3), fc.nat(0xffff_ffff)),
        body: fc.oneof(fc.uint8Array({ maxLength: 60 }), fc.constant(request)),
      })
      await fc.assert(
        fc.asyncProperty(
          fc.array(frame, { maxLength: 20 }),
          fc.uint8Array({ maxLength: 40 }),
          fc.boolean(),
          async (frames, tail, polite) => {
            const peer = await rawPeer(runtime)
            if (polite) peer.send(frameKind.hello, 0, 0, hello)
            for (const { kind, flags, id, body } of frames) peer.send(kind, flags, id, body)
            peer.stream.write(tail)
            await sleep(runtime.timers, 20)
            expect(await client.echo('still here')).toBe('still here')
            peer.stream.destroy()
          },
        ),
        { numRuns: 300 },
      )
      await sleep(runtime.timers, 100)
      expect(connections()).toBe(1)
      client.close()
      await server.close()
    }))

  it('RP-6: is cut off for each way to break the protocol, and the server says so', () =>
    inVirtualTime(async (_, runtime) => {
      const { server, observer, client } = await echoServer(runtime)
      const chunk = new Uint8Array(chunkBytes)
      const offences: ((peer: Raw) => void)[] = [
        (peer) => peer.send(frameKind.request, 0, 1, request),
        (peer) => peer.send(frameKind.hello, 0, 0, new Uint8Array(2_000)),
        (peer) => peer.send(frameKind.response, 0, 1, request),
        (peer) => peer.send(frameKind.goaway, 0, 1, request),
        (peer) => peer.send(99, 0, 1, request),
        (peer) => peer.send(frameKind.request, 0, 1, request.slice(0, 9)),
        (peer) => peer.stream.write(new Uint8Array(frameHeadBytes).fill(255)),
        (peer) => {
          for (let id = 1; id < 9; id++) peer.send(frameKind.request, moreFlag, id, request)
        },
      ]
      for (const [index, offence] of offences.entries()) {
        const peer = await rawPeer(runtime)
        if (index >= 2) peer.send(frameKind.hello, 0, 0, hello)
        offence(peer)
        await sleep(runtime.timers, 50)
        expect(peer.over(), `offence ${index}`).toBe(true)
        expect(observer.events.filter((name) => name === 'rpcProtocolViolated').length).toBe(
          index + 1,
        )
      }
      // One that sends a message without end is cut off at the limit, not at the end of memory.
      const endless = await rawPeer(runtime)
      endless.send(frameKind.hello, 0, 0, hello)
      endless.send(frameKind.request, moreFlag, 1, chunk)
      for (let sent = 0; sent < 6_000_000 && !endless.over(); sent += chunk.length) {
        endless.send(frameKind.continuation, moreFlag, 1, chunk)
        await sleep(runtime.timers, 1)
      }
      expect(endless.over()).toBe(true)
      client.close()
      await server.close()
    }))

  it('RP-4: one that never says hello, or says no more, is let go', () =>
    inVirtualTime(async (_, runtime) => {
      const { server, client, connections } = await echoServer(runtime)
      const mute = await rawPeer(runtime)
      const sleeper = await rawPeer(runtime)
      sleeper.send(frameKind.hello, 0, 0, hello)
      await sleep(runtime.timers, 4_000)
      expect(connections()).toBe(2)
      await sleep(runtime.timers, 2_000)
      expect([mute.over(), sleeper.over()]).toEqual([true, false])
      // Asked after 15 s of silence, given 10 s to answer.
      await sleep(runtime.timers, 25_000)
      expect([sleeper.over(), connections()]).toEqual([true, 0])
      client.close()
      await server.close()
    }))

  it('RP-3: one that asks and never reads is refused, then cut off', () =>
    inVirtualTime(async (_, runtime) => {
      const observer = tally()
      const server = await rpcServer(runtime, {
        address: ADDRESS,
        observer,
        limits: { sendBytesMax: 100_000 },
      })
      let executed = 0
      server.serve(echo, {
        echo: () => {
          executed += 1
          return 'x'.repeat(50_000)
        },
      })
      const peer = await rawPeer(runtime)
      peer.send(frameKind.hello, 0, 0, hello)
      peer.stream.pause(true)
      let asked = 0
      const connected = (): boolean =>
        (observer.read('rpc')[0] as { connections: number }).connections === 1
      for (; asked < 50_000 && (asked < 20 || connected()); asked++) {
        peer.send(frameKind.request, 0, asked + 1, request)
        await sleep(runtime.timers, 5)
      }
      // The window of 256 KiB, and what may wait here, and nothing more.
      expect(executed).toBeGreaterThan(5)
      expect(executed).toBeLessThan(12)
      expect(connected()).toBe(false)
      expect(asked).toBeLessThan(50_000)
      await server.close()
    }))
})

describe('a half-open connection', () => {
  it('RP-4: is found by silence, its call is unknown, and the next call has a new one', () =>
    inVirtualTime(async (world, runtime) => {
      world.machine('far').process('server', async (own) => {
        const server = await rpcServer(own, { address: 'far:7000' })
        server.serve(echo, { echo: (text) => text })
        await new Promise(() => {})
      })
      await sleep(runtime.timers, 100)
      const client = rpcClient(runtime, echo, {
        source: changingSource([endpointAt('far:7000')]),
        balancer: rotation(),
        timeoutMs: 60_000,
        keepalive: { intervalMs: 1_000, timeoutMs: 500 },
        connectTimeoutMs: 500,
      })
      expect(await client.echo('a')).toBe('a')
      world.faults.partition('machine', 'far')
      const startMs = runtime.clock.monotonicMs()
      const lost: unknown = await client.echo('b').catch((error: unknown) => error)
      expect(lost).toBeInstanceOf(HoldfastError)
      expect(lost).toMatchObject({ outcome: 'unknown' })
      expect(runtime.clock.monotonicMs() - startMs).toBeLessThan(2_000)
      world.faults.heal()
      await sleep(runtime.timers, 2_500)
      expect(await client.echo('c')).toBe('c')
      client.close()
    }))
})
