import { describe, expect, it } from 'vitest'
import type { ByteStream } from '../../runtime/network.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import { inVirtualTime } from '../../testing/index.ts'
import { clientNetwork, sharedPort } from './shared-port.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Hears everything and says it back. */
function echo(heard: string[], name: string): (stream: ByteStream) => void {
  return (stream) => {
    let ready = false
    stream.receive({
      data(words) {
        heard.push(`${name} ${ready ? '' : 'too early '}${new TextDecoder().decode(words)}`)
        stream.write(words)
      },
      ended: () => heard.push(`${name} ended`),
      failed: () => heard.push(`${name} failed`),
    })
    ready = true
  }
}

function withPort(
  body: (runtime: Runtime, heard: string[], members: Runtime['network']) => Promise<void>,
): Promise<void> {
  return inVirtualTime(async (_, runtime) => {
    const heard: string[] = []
    const members = sharedPort(runtime, echo(heard, 'client'))
    await members.listen('machine:1', echo(heard, 'member'))
    await body(runtime, heard, members)
  })
}

const timeoutMs = 1_000

describe('the shared port', () => {
  it('gives members to members and clients to clients, with their first words', () =>
    withPort(async (runtime, heard, members) => {
      const member = await members.connect('machine:1', { timeoutMs })
      member.write(bytes('m'))
      const client = await clientNetwork(runtime.network).connect('machine:1', { timeoutMs })
      client.write(bytes('c'))
      await sleep(runtime.timers, 100)
      client.end()
      await sleep(runtime.timers, 100)
      expect(heard.sort()).toEqual(['client c', 'client ended', 'member m'])
    }))

  it('takes a greeting in any pieces, also with the words behind it in one', () =>
    withPort(async (runtime, heard) => {
      const one = await runtime.network.connect('machine:1', { timeoutMs })
      one.write(Uint8Array.of(0x48, 0x46, 0x43, 1, 0x61))
      const two = await runtime.network.connect('machine:1', { timeoutMs })
      for (const byte of [0x48, 0x46, 0x4d, 1, 0x62]) {
        two.write(Uint8Array.of(byte))
        await sleep(runtime.timers, 10)
      }
      await sleep(runtime.timers, 100)
      expect(heard.sort()).toEqual(['client a', 'member b'])
    }))

  it('G-11: shows out who says something else, or nothing', () =>
    withPort(async (runtime, heard) => {
      let over = 0
      for (const words of ['GET / HTTP/1.1', '']) {
        const stream = await runtime.network.connect('machine:1', { timeoutMs })
        if (words !== '') stream.write(bytes(words))
        const gone = (): void => {
          over += 1
        }
        stream.receive({ data() {}, ended: gone, failed: gone })
      }
      await sleep(runtime.timers, 6_000)
      expect([over, heard]).toEqual([2, []])
    }))
})
