import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { ByteStream } from '../network.ts'
import { streamHighWaterBytes } from '../network.ts'
import { formatAddress, parseAddress } from './network-address.ts'
import { type NodeRuntime, nodeRuntime } from './node-runtime.ts'
import { nodeTimers } from './timers.ts'

let runtime: NodeRuntime
let folder: string
let events: [string, unknown][]

beforeEach(() => {
  events = []
  folder = mkdtempSync(join(tmpdir(), 'holdfast-test-'))
  const observer = { event: (name: string, fields?: unknown) => void events.push([name, fields]) }
  runtime = nodeRuntime({ process: 'tester', machine: 'here', observer })
})
afterEach(async () => {
  await runtime[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

describe('identity, clocks and chance', () => {
  it('an incarnation is new every time', () => {
    expect(runtime.identity).toMatchObject({ machine: 'here', process: 'tester' })
    expect(runtime.identity.incarnation).toMatch(/^[0-9a-f]{32}$/)
    expect(nodeRuntime().identity.incarnation).not.toBe(runtime.identity.incarnation)
  })

  it('G-2: the monotonic clock never goes back and the boot has a name', () => {
    let last = 0
    for (let reading = 0; reading < 1_000; reading++) {
      const now = runtime.clock.monotonicMs()
      expect(now).toBeGreaterThanOrEqual(last)
      last = now
    }
    expect(runtime.clock.bootId).toMatch(/.{8,}/)
    expect(nodeRuntime().clock.bootId).toBe(runtime.clock.bootId)
    expect(Math.abs(runtime.clock.wallMs() - Date.now())).toBeLessThan(1_000)
  })

  it('fractions lie in [0, 1), bytes have their length and a limit', () => {
    const fractions = Array.from({ length: 2_000 }, () => runtime.random.fraction('x'))
    expect(fractions.every((fraction) => fraction >= 0 && fraction < 1)).toBe(true)
    const mean = fractions.reduce((sum, fraction) => sum + fraction) / fractions.length
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.05) // 8 standard deviations
    expect(runtime.random.bytes('x', 65_536)).toHaveLength(65_536)
    expect(() => runtime.random.bytes('x', 65_537)).toThrow('65537')
  })
})

describe('timers', () => {
  it('G-9: a delay above 2^31-1 ms does not fire at once, and fires', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'hrtime'] })
    try {
      const timers = nodeTimers()
      const fired = vi.fn()
      const days40 = 40 * 86_400_000
      timers.schedule(days40, fired)
      const cancelled = timers.schedule(days40, fired)
      vi.advanceTimersByTime(days40 - 1_000)
      expect(fired).not.toHaveBeenCalled()
      cancelled.cancel()
      vi.advanceTimersByTime(2_000)
      expect(fired).toHaveBeenCalledTimes(1)
      expect(vi.getTimerCount()).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })

  it('never fire before their time on the monotonic clock', async () => {
    for (const delayMs of [0, 0.3, 1.9, 3.2]) {
      const due = runtime.clock.monotonicMs() + delayMs
      await new Promise<void>((resolve) => runtime.timers.schedule(delayMs, resolve))
      expect(runtime.clock.monotonicMs()).toBeGreaterThanOrEqual(due)
    }
    expect(() => runtime.timers.schedule(-1, () => {})).toThrow('-1')
    expect(() => runtime.timers.schedule(Number.NaN, () => {})).toThrow('NaN')
  })
})

describe('tasks', () => {
  it('a failure reaches the observer under its name', async () => {
    const warned = new Promise((resolve) => process.once('warning', resolve))
    runtime.tasks.spawn('sweep', () => {
      throw new Error('no broom')
    })
    await expect(warned).resolves.toMatchObject({ message: expect.stringContaining('no broom') })
    expect(events).toEqual([['taskFailed', { task: 'sweep', error: 'no broom' }]])
  })
})

describe('disk', () => {
  it('reads, writes, renames and lists', async () => {
    const { disk } = runtime
    const deep = join(folder, 'a', 'b')
    await disk.makeDirectory(deep)
    const file = await disk.open(join(deep, 'x'), 'create')
    await file.writeAt(5, new Uint8Array([1, 2, 3]))
    await file.sync()
    expect(await file.sizeBytes()).toBe(8)
    expect([...(await file.readAt(3, 100))]).toEqual([0, 0, 1, 2, 3])
    await file.truncate(6)
    expect([...(await file.readAt(5, 5))]).toEqual([1])
    await file.close()
    await file.close()
    await disk.rename(join(deep, 'x'), join(deep, 'y'))
    await disk.syncDirectory(deep)
    expect(await disk.list(deep)).toEqual(['y'])
    expect(await disk.remove(join(deep, 'y'))).toBe(true)
    expect(await disk.remove(join(deep, 'y'))).toBe(false)
    expect(await disk.list(join(folder, 'absent'))).toEqual([])
  })

  it('G-1: what did not happen says so', async () => {
    const absent = join(folder, 'absent')
    await expect(runtime.disk.open(absent, 'read')).rejects.toMatchObject({
      code: 'unavailable',
      outcome: 'not-applied',
    })
    await expect(runtime.disk.open(absent, 'update')).rejects.toThrow('ENOENT')
    await expect(runtime.disk.rename(absent, `${absent}2`)).rejects.toThrow('ENOENT')
  })
})

interface Ends {
  readonly client: ByteStream
  readonly server: ByteStream
}

async function connected(): Promise<Ends> {
  let accepted: (stream: ByteStream) => void = () => {}
  const server = new Promise<ByteStream>((resolve) => {
    accepted = resolve
  })
  const listener = await runtime.network.listen('127.0.0.1:0', (stream) => accepted(stream))
  const client = await runtime.network.connect(listener.address, { timeoutMs: 1_000 })
  return { client, server: await server }
}

/** Collects until the last word. */
function collect(stream: ByteStream): Promise<{ readonly bytes: number; readonly last: string }> {
  let bytes = 0
  return new Promise((resolve) => {
    stream.receive({
      data: (part) => {
        bytes += part.byteLength
      },
      ended: () => resolve({ bytes, last: 'ended' }),
      failed: () => resolve({ bytes, last: 'failed' }),
    })
  })
}

describe('streams', () => {
  it('bytes that came before the receiver are kept, and each side ends alone', async () => {
    const { client, server } = await connected()
    client.write(new Uint8Array(10))
    client.end()
    expect(await collect(server)).toEqual({ bytes: 10, last: 'ended' })
    server.write(new Uint8Array(20)) // the other way is still open
    server.end()
    expect(await collect(client)).toEqual({ bytes: 20, last: 'ended' })
  })

  it('G-11: a sender that is not read is told to stop, and goes on when it is', async () => {
    const { client, server } = await connected()
    const part = new Uint8Array(262_144)
    let sent = 0
    while (client.write(part)) sent += part.byteLength
    sent += part.byteLength
    expect(sent).toBeGreaterThanOrEqual(streamHighWaterBytes)
    expect(sent).toBeLessThan(64 * 1_048_576)
    const drained = client.drained()
    const received = collect(server)
    await drained
    expect(client.write(part)).toBe(true)
    client.end()
    expect(await received).toEqual({ bytes: sent + part.byteLength, last: 'ended' })
  })

  it('a break is told once, and writes after it are dropped', async () => {
    const { client, server } = await connected()
    const last = collect(client)
    server.destroy()
    // A destroyed socket with nothing unread ends like any other; with unread bytes it is reset.
    expect(['failed', 'ended']).toContain((await last).last)
    client.destroy()
    expect(client.write(new Uint8Array(1))).toBe(false)
    await client.drained()
  })

  it('a stream that fails before it has a receiver tells it when it comes', async () => {
    const { client, server } = await connected()
    client.write(new Uint8Array(100_000))
    await runtime.close()
    expect((await collect(server)).last).toBe('failed')
  })

  it('G-1: refused, taken and aborted have their own errors', async () => {
    const { network } = runtime
    const listener = await network.listen('127.0.0.1:0', () => {})
    await expect(network.listen(listener.address, () => {})).rejects.toMatchObject({
      code: 'configuration',
    })
    await listener.close()
    await expect(network.connect(listener.address, { timeoutMs: 500 })).rejects.toMatchObject({
      code: 'unavailable',
      outcome: 'not-applied',
    })
    const signal = AbortSignal.abort('enough')
    await expect(
      network.connect(listener.address, { timeoutMs: 500, signal }),
    ).rejects.toMatchObject({ code: 'cancelled' })
    await expect(network.connect('nonsense', { timeoutMs: 500 })).rejects.toThrow('host:port')
  })
})

describe('datagrams', () => {
  it('arrive with the address of their source', async () => {
    const { network } = runtime
    const heard = new Promise((resolve) => {
      void network.bind('127.0.0.1:0', resolve).then(async (target) => {
        const source = await network.bind('127.0.0.1:0', () => {})
        source.send(target.address, new Uint8Array([1, 2]))
        expect(() => source.send(target.address, new Uint8Array(65_508))).toThrow('65508')
      })
    })
    expect(await heard).toMatchObject({
      bytes: new Uint8Array([1, 2]),
      source: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
    })
  })

  it('addresses are read and written alike', () => {
    for (const address of ['127.0.0.1:80', 'localhost:0', '[::1]:443']) {
      const { host, port } = parseAddress(address)
      expect(formatAddress(host, port)).toBe(address)
    }
    for (const wrong of ['a', 'a:', ':1', 'a:99999', '::1:80']) {
      expect(() => parseAddress(wrong)).toThrow(wrong)
    }
  })
})

describe('the end', () => {
  it('G-8: close ends timers, listeners, streams and files, once', async () => {
    const { client } = await connected()
    const last = collect(client)
    const fired = vi.fn()
    await runtime.sql.open({ path: join(folder, 'a.db'), migrations: [] })
    runtime.timers.schedule(0, fired)
    await Promise.all([runtime.close(), runtime.close()])
    expect((await last).last).not.toBe('')
    expect(fired).not.toHaveBeenCalled()
    const again = runtime.sql.open({ path: join(folder, 'a.db'), migrations: [] })
    await expect(again).rejects.toMatchObject({ code: 'closed' })
    await expect(runtime.network.listen('127.0.0.1:0', () => {})).rejects.toThrow('closed')
  })
})
