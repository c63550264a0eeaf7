import { describe, expect, it } from 'vitest'
import { UnavailableError } from '../../../errors.ts'
import type { ByteStream } from '../../../runtime/network.ts'
import type { Runtime } from '../../../runtime/runtime.ts'
import { sleep } from '../../../runtime/sleep.ts'
import type { Tasks } from '../../../runtime/tasks.ts'
import { inVirtualTime } from '../../../testing/index.ts'
import { frameWriter } from './frame-writer.ts'
import { link } from './link.ts'
import { linkServer } from './link-server.ts'

const address = 'machine:7'

function withServer(
  body: (runtime: Runtime, bugs: readonly unknown[]) => Promise<void>,
): Promise<void> {
  return inVirtualTime(async (_, runtime) => {
    const bugs: unknown[] = []
    const tasks: Tasks = {
      spawn: (name, work) =>
        runtime.tasks.spawn(name, () => work().catch((bug) => void bugs.push(bug))),
    }
    await linkServer(
      { ...runtime, tasks },
      {
        address,
        requestBytesMax: 1_000,
        service: async () => ({
          calls: {
            echo: async (words: string) => words,
            length: async (words: string) => words.length,
            refuse: async () => {
              throw new UnavailableError('elsewhere', { details: { moved: true, to: 'other:1' } })
            },
          },
          sources: {},
        }),
      },
    )
    await body(runtime, bugs)
  })
}

/** @returns whether the server ended it. */
async function saidGoodbye(runtime: Runtime, say: (stream: ByteStream) => void): Promise<boolean> {
  const stream = await runtime.network.connect(address, { timeoutMs: 1_000 })
  let over = false
  const gone = (): void => {
    over = true
  }
  stream.receive({ data() {}, ended: gone, failed: gone })
  say(stream)
  await sleep(runtime.timers, 500)
  return over
}

describe('the server of a link', () => {
  it('G-9, G-11: shows out who speaks something else, or too much, and goes on with the others', () =>
    withServer(async (runtime) => {
      const good = link(runtime, { address: () => address, namespace: 'n' })
      expect(await good.call('echo', 'a')).toBe('a')
      const much = { id: 1, call: 'echo', in: 'n', with: ['x'.repeat(2_000)] }
      const say = (bytes: Uint8Array) => (stream: ByteStream) => void stream.write(bytes)
      const junk = [
        say(Uint8Array.of(0, 0, 0, 2, 0x7b, 0x7b)),
        say(Uint8Array.of(0, 0, 0, 2, 0x7b, 0x7d)),
        say(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 1)),
        (stream: ByteStream) => frameWriter(stream).send(much),
      ]
      for (const speak of junk) expect(await saidGoodbye(runtime, speak)).toBe(true)
      expect(await good.call('echo', 'b')).toBe('b')
      good.close()
    }))

  it('G-1: who asks the wrong one hears whom to ask, and that nothing happened', () =>
    withServer(async (runtime) => {
      const one = link(runtime, { address: () => address, namespace: 'n' })
      const failure = await one.call('refuse').catch((error: unknown) => error)
      expect(failure).toBeInstanceOf(UnavailableError)
      expect(failure).toMatchObject({ outcome: 'not-applied', details: { to: 'other:1' } })
      one.close()
    }))

  it('G-1: a bug of the server is an unknown outcome at once, and told to its runtime', () =>
    withServer(async (runtime, bugs) => {
      const one = link(runtime, { address: () => address, namespace: 'n' })
      const sentMs = runtime.clock.monotonicMs()
      const failure = await one.call('length', null).catch((error: unknown) => error)
      expect(failure).toMatchObject({ outcome: 'unknown', message: 'the server failed over it' })
      expect(runtime.clock.monotonicMs() - sentMs).toBeLessThan(100)
      expect(bugs).toEqual([expect.any(TypeError)])
      one.close()
    }))
})
