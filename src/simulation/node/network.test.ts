/** Streams that break, stall and end; datagrams that are lost, doubled and overtaken. */
import { describe, expect, it } from 'vitest'
import { UnavailableError } from '../../errors.ts'
import type { ByteStream } from '../../runtime/network.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import { expectClean, inVirtualTime, simulate, type World } from '../../testing/index.ts'

const forever = (): Promise<never> => new Promise(() => {})

/** A server on `machine` that keeps its streams and what it received. */
function listening(world: World, machine: string) {
  const streams: ByteStream[] = []
  const got: number[] = []
  const events: string[] = []
  const process = world.machine(machine).process('server', async (own) => {
    await own.network.listen(`${machine}:80`, (stream) => {
      streams.push(stream)
      stream.receive({
        data(bytes) {
          for (const byte of bytes) got.push(byte)
        },
        ended: () => events.push('ended'),
        failed: () => events.push('failed'),
      })
    })
    await forever()
  })
  return { process, streams, got, events }
}

async function connected(runtime: Runtime, address: string) {
  const stream = await runtime.network.connect(address, { timeoutMs: 1_000 })
  const events: string[] = []
  const got: number[] = []
  stream.receive({
    data: (bytes) => got.push(...bytes),
    ended: () => events.push('ended'),
    failed: (error) => events.push(error.message),
  })
  return { stream, events, got }
}

describe('streams', () => {
  it('copy at send: bytes are not shared between processes', async () => {
    await inVirtualTime(async (world, runtime) => {
      const server = listening(world, 'server')
      await sleep(runtime.timers, 1)
      const { stream } = await connected(runtime, 'server:80')
      const bytes = Uint8Array.of(1, 2, 3)
      stream.write(bytes)
      bytes.fill(9)
      await sleep(runtime.timers, 100)
      expect(server.got).toEqual([1, 2, 3])
    })
  })

  it('are refused where nobody listens, and time out where nobody answers', async () => {
    await inVirtualTime(async (world, runtime) => {
      listening(world, 'server')
      await sleep(runtime.timers, 1)
      const ask = (address: string): Promise<ByteStream> =>
        runtime.network.connect(address, { timeoutMs: 500 })
      await expect(ask('server:81')).rejects.toThrow(/refused/)
      await expect(ask('nowhere:80')).rejects.toThrow(/did not answer in 500 ms/)
      world.machine('server').crash()
      await expect(ask('server:80')).rejects.toThrow(UnavailableError)
      world.machine('server').restart()
      await sleep(runtime.timers, 1)
      world.faults.partition('server', 'machine', { oneWay: true })
      await expect(ask('server:80')).rejects.toThrow(/did not answer/)
      world.faults.heal()
      await expect(ask('server:80')).resolves.toBeDefined()
    })
  })

  it('break on the other side when a process is killed', async () => {
    await inVirtualTime(async (world, runtime) => {
      const server = listening(world, 'server')
      await sleep(runtime.timers, 1)
      const { events } = await connected(runtime, 'server:80')
      server.process.kill()
      await sleep(runtime.timers, 100)
      expect(events).toHaveLength(1)
    })
  })

  it('are half-open after a power cut, until this side sends', async () => {
    await inVirtualTime(async (world, runtime) => {
      listening(world, 'server')
      await sleep(runtime.timers, 1)
      const { stream, events } = await connected(runtime, 'server:80')
      world.machine('server').crash()
      await sleep(runtime.timers, 1_000)
      world.machine('server').restart()
      await sleep(runtime.timers, 3_600_000)
      expect(events).toEqual([])
      stream.write(Uint8Array.of(1))
      await sleep(runtime.timers, 100)
      expect(events).toEqual(['the connection to server:80 was reset'])
    })
  })

  it('stall in a partition and go on after a short one', async () => {
    await inVirtualTime(async (world, runtime) => {
      const server = listening(world, 'server')
      await sleep(runtime.timers, 1)
      const { stream, events } = await connected(runtime, 'server:80')
      world.faults.partition('machine', 'server')
      for (let n = 0; n < 10; n++) stream.write(Uint8Array.of(n))
      await sleep(runtime.timers, 5_000)
      expect(server.got).toEqual([])
      world.faults.heal()
      stream.write(Uint8Array.of(10))
      await sleep(runtime.timers, 5_000)
      expect(server.got).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
      expect(events).toEqual([])
    })
  })

  it('give up in a long partition: the sender learns of it, the other side does not', async () => {
    await inVirtualTime(async (world, runtime) => {
      const server = listening(world, 'server')
      await sleep(runtime.timers, 1)
      const { stream, events } = await connected(runtime, 'server:80')
      world.faults.partition('machine', 'server')
      stream.write(Uint8Array.of(1))
      await sleep(runtime.timers, 60_000)
      expect(events).toEqual(['server:80 does not answer'])
      world.faults.heal()
      await sleep(runtime.timers, 60_000)
      expect(server.events).toEqual([])
      server.streams[0]?.write(Uint8Array.of(1))
      await sleep(runtime.timers, 1_000)
      expect(server.events).toEqual(['failed'])
    })
  })

  it('a cut of the way back loses acknowledgements, not data', async () => {
    await inVirtualTime(async (world, runtime) => {
      const server = listening(world, 'server')
      await sleep(runtime.timers, 1)
      const { stream, events } = await connected(runtime, 'server:80')
      world.faults.partition('server', 'machine', { oneWay: true })
      stream.write(Uint8Array.of(1))
      await sleep(runtime.timers, 1_000)
      expect(server.got).toEqual([1])
      await sleep(runtime.timers, 60_000)
      expect(events).toEqual(['server:80 does not answer'])
    })
  })

  it('hold back a writer whose reader has paused', async () => {
    await inVirtualTime(async (world, runtime) => {
      const server = listening(world, 'server')
      await sleep(runtime.timers, 1)
      const { stream } = await connected(runtime, 'server:80')
      await sleep(runtime.timers, 10)
      server.streams[0]?.pause(true)
      expect(stream.write(new Uint8Array(1_048_576))).toBe(true)
      expect(stream.write(new Uint8Array(1))).toBe(false)
      let drained = false
      const wait = stream.drained().then(() => {
        drained = true
      })
      await sleep(runtime.timers, 1_000)
      expect(drained).toBe(false)
      server.streams[0]?.pause(false)
      await wait
      await sleep(runtime.timers, 1_000)
      expect(server.got).toHaveLength(1_048_577)
    })
  })

  it('keep every byte in order under faults, or break', async () => {
    const report = await simulate({ seeds: 60, faults: 'all', durationMs: 30_000 }, (world) => {
      let wrong = 0
      world.invariant('order', () => wrong === 0 || 'out of order')
      world.machine('server').process('server', async (own) => {
        await own.network.listen('server:80', (stream) => {
          let next = 0
          const data = (bytes: Uint8Array): void => {
            for (const byte of bytes) if (byte !== next++ % 250) wrong++
          }
          stream.receive({ data, ended() {}, failed() {} })
        })
        await forever()
      })
      world.client('client', async (runtime) => {
        const open = (): Promise<ByteStream | undefined> =>
          runtime.network.connect('server:80', { timeoutMs: 1_000 }).catch(() => undefined)
        let stream = await open()
        for (let sent = 0, round = 0; round < 300; round++) {
          if (stream === undefined || round % 100 === 99) {
            stream?.destroy()
            sent = 0
            stream = await open()
          }
          stream?.write(Uint8Array.of(sent % 250, (sent + 1) % 250))
          sent += 2
          await sleep(runtime.timers, 50)
        }
      })
    })
    expectClean(report, 30)
  })
})

describe('datagrams', () => {
  it('pass one way through a one-way partition', async () => {
    await inVirtualTime(async (world, runtime) => {
      const got: string[] = []
      world.machine('other').process('p', async (own) => {
        const socket = await own.network.bind('other:1', ({ source }) => {
          got.push('there')
          socket.send(source, Uint8Array.of(1))
        })
        await forever()
      })
      const socket = await runtime.network.bind('machine:0', () => got.push('back'))
      await sleep(runtime.timers, 1)
      world.faults.partition('other', 'machine', { oneWay: true })
      socket.send('other:1', Uint8Array.of(1))
      await sleep(runtime.timers, 100)
      expect(got).toEqual(['there'])
      world.faults.heal()
      socket.send('other:1', Uint8Array.of(1))
      await sleep(runtime.timers, 100)
      expect(got).toEqual(['there', 'there', 'back'])
    })
  })

  it('are lost, doubled and overtaken in bad weather', async () => {
    const seen = { lost: 0, doubled: 0, overtaken: 0 }
    const options = {
      seeds: 30,
      faults: ['datagram-loss', 'slow-network'],
      durationMs: 5_000,
    } as const
    const report = await simulate(options, (world) => {
      world.client('client', async (runtime) => {
        const got: number[] = []
        await runtime.network.bind('client:1', ({ bytes }) => got.push(bytes[0] ?? 0))
        const sender = await runtime.network.bind('client:2', () => {})
        for (let n = 0; n < 200; n++) {
          sender.send('client:1', Uint8Array.of(n))
          await sleep(runtime.timers, 20)
        }
        await sleep(runtime.timers, 2_000)
        const unique = new Set(got)
        seen.lost += 200 - unique.size
        seen.doubled += got.length - unique.size
        seen.overtaken += got.filter((n, index) => n < (got[index - 1] ?? 0)).length
      })
    })
    expect(report.failures).toEqual([])
    expect(seen.lost).toBeGreaterThan(0)
    expect(seen.doubled).toBeGreaterThan(0)
    expect(seen.overtaken).toBeGreaterThan(0)
  })
})
