import { describe, expect, it } from 'vitest'
import type { ByteStream } from '../../runtime/network.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { inVirtualTime } from '../../testing/index.ts'
import { type Middle, streamPair } from '../framing/stream-pair.ts'
import { type SealOptions, seal } from './seal.ts'
import { SealError } from './seal-error.ts'

const secret = (fill: number): Uint8Array => new Uint8Array(32).fill(fill)
const shop: SealOptions = { secrets: [secret(1)], clusterId: 'shop' }

interface Talk {
  readonly near: ByteStream
  readonly far: ByteStream
}

async function talk(
  runtime: Runtime,
  left: SealOptions,
  right: SealOptions,
  middle?: Middle,
): Promise<Talk> {
  const [near, far] = streamPair(middle)
  const [opened, accepted] = await Promise.allSettled([
    seal(runtime, left).connect(near),
    seal(runtime, right).accept(far),
  ])
  if (opened.status === 'rejected') throw opened.reason
  if (accepted.status === 'rejected') throw accepted.reason
  return { near: opened.value, far: accepted.value }
}

interface Heard {
  readonly bytes: () => string
  readonly over: Promise<Error | undefined>
}

function listen(stream: ByteStream): Heard {
  const pieces: Uint8Array[] = []
  const over = new Promise<Error | undefined>((resolve) => {
    stream.receive({
      data: (bytes) => pieces.push(bytes),
      ended: () => resolve(undefined),
      failed: resolve,
    })
  })
  return { bytes: () => Buffer.concat(pieces).toString(), over }
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

function run(body: (runtime: Runtime) => Promise<void>): Promise<void> {
  return inVirtualTime((_world, runtime) => body(runtime))
}

async function reasonOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  )
  return error instanceof SealError ? error.reason : `not refused: ${String(error)}`
}

/** Lets the handshake pass, then does something to each frame that goes there. */
function afterHandshake(act: (frame: Uint8Array, pass: (bytes: Uint8Array) => void) => void) {
  let frames = 0
  const middle: Middle = (direction, frame, pass) => {
    if (direction === 'back' || ++frames === 1) pass(frame)
    else act(frame, pass)
  }
  return middle
}

describe('a sealed stream', () => {
  it('carries bytes of any size both ways and ends in good order', () =>
    run(async (runtime) => {
      const { near, far } = await talk(runtime, shop, shop)
      const there = listen(far)
      const back = listen(near)
      const large = 'x'.repeat(200_000)
      near.write(bytes('hello '))
      near.write(bytes(large))
      far.write(bytes('yes'))
      near.end()
      far.end()
      expect(await there.over).toBeUndefined()
      expect(await back.over).toBeUndefined()
      expect(there.bytes()).toBe(`hello ${large}`)
      expect(back.bytes()).toBe('yes')
    }))

  it('keeps what came before somebody listened, and bytes cut anywhere', () =>
    run(async (runtime) => {
      const single: Middle = (_direction, frame, pass) => {
        for (const byte of frame) pass(Uint8Array.of(byte))
      }
      const { near, far } = await talk(runtime, shop, shop, single)
      near.write(bytes('early'))
      near.end()
      for (let turn = 0; turn < 300; turn++) await Promise.resolve()
      const there = listen(far)
      expect(await there.over).toBeUndefined()
      expect(there.bytes()).toBe('early')
    }))

  it('goes through with any of the accepted secrets: rotation without a pause', () =>
    run(async (runtime) => {
      const old: SealOptions = { clusterId: 'shop', secrets: [secret(1)] }
      const both: SealOptions = { clusterId: 'shop', secrets: [secret(1), secret(2)] }
      const turned: SealOptions = { clusterId: 'shop', secrets: [secret(2), secret(1)] }
      const fresh: SealOptions = { clusterId: 'shop', secrets: [secret(2)] }
      for (const [left, right] of [
        [old, both],
        [both, old],
        [both, turned],
        [turned, both],
        [turned, fresh],
        [fresh, turned],
      ] as const) {
        await talk(runtime, left, right)
      }
      expect(await reasonOf(talk(runtime, old, fresh))).toBe('secret')
    }))

  it('is one cluster only', () =>
    run(async (runtime) => {
      const other = { ...shop, clusterId: 'bank' }
      expect(await reasonOf(talk(runtime, shop, other))).toBe('cluster')
    }))

  it('refuses a stranger, silence and another language in time', () =>
    run(async (runtime) => {
      const [stranger, ours] = streamPair()
      const accepting = reasonOf(seal(runtime, shop).accept(ours))
      stranger.write(bytes('GET / HTTP/1.1\r\n\r\n'.repeat(20)))
      expect(await accepting).toBe('version')
      const silent = reasonOf(seal(runtime, shop).accept(streamPair()[1]))
      expect(await silent).toBe('broken')
      const [half, gone] = streamPair()
      const broken = reasonOf(seal(runtime, shop).accept(gone))
      half.write(Uint8Array.of(0, 200, 1))
      half.end()
      expect(await broken).toBe('broken')
    }))
})

describe('whoever stands between', () => {
  const cases: readonly {
    readonly name: string
    readonly middle: () => Middle
    readonly reason: string
  }[] = [
    {
      name: 'changes one bit',
      middle: () =>
        afterHandshake((frame, pass) => {
          frame[5] = (frame[5] ?? 0) ^ 1
          pass(frame)
        }),
      reason: 'tampered',
    },
    {
      name: 'repeats a frame',
      middle: () =>
        afterHandshake((frame, pass) => {
          pass(frame)
          pass(frame.slice())
        }),
      reason: 'tampered',
    },
    {
      name: 'leaves a frame out',
      middle: () => {
        let frames = 0
        return afterHandshake((frame, pass) => {
          if (++frames !== 1) pass(frame)
        })
      },
      reason: 'tampered',
    },
    {
      name: 'swaps two frames',
      middle: () => {
        let held: Uint8Array | undefined
        return afterHandshake((frame, pass) => {
          if (held === undefined) held = frame
          else {
            pass(frame)
            pass(held)
            held = new Uint8Array(0)
          }
        })
      },
      reason: 'tampered',
    },
    {
      name: 'cuts the stream off as if it had ended',
      middle: () => {
        let frames = 0
        return afterHandshake((frame, pass) => {
          if (++frames <= 2) pass(frame)
        })
      },
      reason: 'truncated',
    },
  ]
  for (const { name, middle, reason } of cases) {
    it(`is found out when he ${name}`, () =>
      run(async (runtime) => {
        const { near, far } = await talk(runtime, shop, shop, middle())
        const there = listen(far)
        near.write(bytes('pay '))
        near.write(bytes('one'))
        near.end()
        const error = await there.over
        expect(error).toBeInstanceOf(SealError)
        expect((error as SealError).reason).toBe(reason)
        expect('pay one').toContain(there.bytes())
      }))
  }

  it('cannot use a recorded conversation: the second responder hears nothing from him', () =>
    run(async (runtime) => {
      const recorded: Uint8Array[] = []
      const recorder: Middle = (direction, frame, pass) => {
        if (direction === 'there') recorded.push(frame.slice())
        pass(frame)
      }
      const { near, far } = await talk(runtime, shop, shop, recorder)
      const there = listen(far)
      near.write(bytes('pay'))
      near.end()
      await there.over
      expect(there.bytes()).toBe('pay')

      const [attacker, ours] = streamPair()
      const accepting = seal(runtime, shop).accept(ours)
      for (const frame of recorded) attacker.write(frame)
      const again = listen(await accepting)
      expect(((await again.over) as SealError).reason).toBe('tampered')
      expect(again.bytes()).toBe('')
    }))

  it('cannot reflect what a side sent itself', () =>
    run(async (runtime) => {
      const [near, mirror] = streamPair()
      mirror.receive({ data: (frame) => void mirror.write(frame), ended() {}, failed() {} })
      expect(await reasonOf(seal(runtime, shop).connect(near))).toBe('version')
    }))
})

it('negative control: a frame that is not counted could be repeated', () =>
  run(async (runtime) => {
    // The same repetition over the bare pair goes unnoticed, so the cases above can fail.
    const [near, far] = streamPair((_direction, frame, pass) => {
      pass(frame)
      pass(frame.slice())
    })
    const there = listen(far)
    near.write(bytes('pay'))
    near.end()
    expect(await there.over).toBeUndefined()
    expect(there.bytes()).toBe('paypay')
    expect(runtime.clock.monotonicMs()).toBeGreaterThanOrEqual(0)
  }))
