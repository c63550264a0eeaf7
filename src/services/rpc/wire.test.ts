import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HoldfastError, OutcomeUnknownError, UnavailableError } from '../../errors.ts'
import { assembly } from './assembly.ts'
import { jsonCodec } from './codec.ts'
import { decodeFailure, encodeFailure } from './failure.ts'
import { frameReader } from './frame-reader.ts'
import { decodeRequest, encodeHeaders, encodeRequest, routeBytes } from './request.ts'
import { RpcApplicationError, RpcProtocolError } from './rpc-error.ts'
import {
  bulkMax,
  decodeHello,
  encodeHello,
  frameHeadBytes,
  frameKind,
  moreFlag,
  writeHead,
} from './wire.ts'

const bytes = (max: number) => fc.uint8Array({ maxLength: max })

function framed(kind: number, flags: number, id: number, body: Uint8Array): Uint8Array {
  const frame = new Uint8Array(frameHeadBytes + body.length)
  writeHead(frame, 0, { length: body.length, kind, flags, id })
  frame.set(body, frameHeadBytes)
  return frame
}

describe('frames', () => {
  it('RP-6: come out as they went in, however the stream cuts them', () => {
    const frame = fc.record({
      kind: fc.nat(255),
      flags: fc.nat(255),
      id: fc.nat(0xffff_ffff),
      body: bytes(60),
    })
    fc.assert(
      fc.property(fc.array(frame), fc.array(fc.integer({ min: 1, max: 50 })), (sent, cuts) => {
        const stream = sent.flatMap((f) => [...framed(f.kind, f.flags, f.id, f.body)])
        const got: unknown[] = []
        const reader = frameReader({
          bodyBytesMax: () => 60,
          accept: (kind, flags, id, body) => got.push({ kind, flags, id, body: body.slice() }),
        })
        let at = 0
        for (let n = 0; at < stream.length; n++) {
          const size = cuts.length === 0 ? 7 : (cuts[n % cuts.length] ?? 7)
          reader.push(Uint8Array.from(stream.slice(at, at + size)))
          at += size
        }
        expect(got).toEqual(sent)
      }),
    )
  })

  it('RP-6: a length over the limit is refused before its body is kept', () => {
    const reader = frameReader({ bodyBytesMax: () => 100, accept: () => {} })
    const head = framed(1, 0, 1, new Uint8Array(0))
    head.set([0xff, 0xff, 0xff, 0xff])
    reader.push(head.subarray(0, 9))
    expect(() => reader.push(head.subarray(9))).toThrow(RpcProtocolError)
  })
})

describe('large messages', () => {
  it('RP-3: are put together from chunks, in any mixture', () => {
    const parts = assembly(1_000)
    expect(parts.take(frameKind.request, moreFlag, 1, Uint8Array.of(1))).toBeUndefined()
    expect(parts.take(frameKind.request, moreFlag, 2, Uint8Array.of(7))).toBeUndefined()
    expect(parts.take(frameKind.continuation, moreFlag, 1, Uint8Array.of(2))).toBeUndefined()
    expect(parts.take(frameKind.continuation, 0, 1, Uint8Array.of(3))?.body).toEqual(
      Uint8Array.of(1, 2, 3),
    )
    expect(parts.size).toBe(1)
  })

  it('RP-6: too many at a time, too long, or begun twice end the connection', () => {
    const many = assembly(1_000)
    for (let id = 0; id < bulkMax; id++)
      many.take(frameKind.request, moreFlag, id, new Uint8Array(1))
    const one = new Uint8Array(1)
    expect(() => many.take(frameKind.request, moreFlag, 99, one)).toThrow(RpcProtocolError)
    expect(() => many.take(frameKind.request, 0, 1, one)).toThrow(RpcProtocolError)
    const long = new Uint8Array(1_001)
    expect(() => assembly(1_000).take(frameKind.request, 0, 1, long)).toThrow(RpcProtocolError)
    many.take(frameKind.continuation, moreFlag, 1, new Uint8Array(999))
    expect(() => many.take(frameKind.continuation, 0, 1, one)).toThrow(RpcProtocolError)
  })
})

describe('hello', () => {
  const hello = {
    frameBytesMax: 65_536,
    messageBytesMax: 1_000_000,
    windowBytes: 262_144,
    codec: 'json/1',
    name: 'machine/öl',
  }

  it('G-10: carries what it says, and ignores what a later version adds', () => {
    const sent = encodeHello(hello)
    const longer = new Uint8Array([...sent, 1, 2, 3])
    for (const received of [sent, longer])
      expect(decodeHello(received)).toEqual({ ...hello, version: 1 })
  })

  it('G-10: meets a newer peer at the highest version both speak, and refuses one without any', () => {
    const newer = encodeHello(hello)
    newer[5] = 9
    expect(decodeHello(newer).version).toBe(1)
    newer[4] = 8
    expect(() => decodeHello(newer)).toThrow(RpcProtocolError)
  })

  it('G-10: the bytes of version 1 stay what they are', () => {
    const golden = encodeHello({ ...hello, name: 'm/p' })
    expect(Buffer.from(golden).toString('hex')).toBe(
      '4846525001010001' + '0000000f424000040000066a736f6e2f31036d2f70',
    )
    const request = encodeRequest(
      {
        route: routeBytes('a/b'),
        version: 258,
        attempt: 2,
        callId: 'k',
        keyed: true,
        headers: encodeHeaders({ h: 'v' }),
        payload: jsonCodec.encode({ n: 1n }),
      },
      1_500,
    )
    expect(Buffer.from(request).toString('hex')).toBe(
      '000005dc' +
        '01' +
        '02' +
        '0102' +
        '03612f62' +
        '016b' +
        '00097b2268223a2276227d' +
        Buffer.from('\u0001{"n":{"$bigint":"1"}}').toString('hex'),
    )
  })

  it('RP-6: garbage is refused, never anything else', () => {
    fc.assert(
      fc.property(bytes(80), (garbage) => {
        expect(() => decodeHello(garbage)).toThrow(RpcProtocolError)
      }),
    )
  })
})

describe('requests', () => {
  it('come out as they went in', () => {
    const request = fc.record({
      route: fc.string({ minLength: 1, maxLength: 60 }),
      version: fc.nat(65_535),
      attempt: fc.integer({ min: 1, max: 255 }),
      callId: fc.string({ unit: 'grapheme-ascii', maxLength: 80 }),
      keyed: fc.boolean(),
      headers: fc.dictionary(fc.string({ maxLength: 5 }), fc.string({ maxLength: 5 })),
      payload: bytes(50),
    })
    fc.assert(
      fc.property(request, fc.integer({ min: 1, max: 1e9 }), (sent, remainingMs) => {
        const route = routeBytes(sent.route)
        const headers = encodeHeaders(sent.headers)
        const got = decodeRequest(encodeRequest({ ...sent, route, headers }, remainingMs))
        expect({ ...got, headers: { ...got.headers } }).toEqual({
          ...sent,
          headers: { ...sent.headers },
          remainingMs,
        })
      }),
    )
  })

  it('RP-6: cut or damaged anywhere they are refused or still a request, never anything else', () => {
    const whole = encodeRequest(
      {
        route: routeBytes('inventory/reserve'),
        version: 1,
        attempt: 1,
        callId: 'x',
        keyed: false,
        headers: encodeHeaders({ a: 'b' }),
        payload: jsonCodec.encode({}),
      },
      10,
    )
    fc.assert(
      fc.property(fc.nat(whole.length), fc.nat(whole.length - 1), fc.nat(255), (cut, at, byte) => {
        const damaged = whole.slice(0, cut)
        if (at < cut) damaged[at] = byte
        try {
          decodeRequest(damaged)
        } catch (error) {
          expect(error).toBeInstanceOf(RpcProtocolError)
        }
      }),
      { numRuns: 2_000 },
    )
  })

  it('RP-6: a header named __proto__ is only a header', () => {
    const headers = new TextEncoder().encode('{"__proto__":"x"}')
    const parts = { route: routeBytes('a'), version: 1, attempt: 1, callId: '', keyed: false }
    const got = decodeRequest(encodeRequest({ ...parts, headers, payload: new Uint8Array(0) }, 1))
    expect(Object.keys(got.headers)).toEqual(['__proto__'])
    expect('x' in {}).toBe(false)
  })
})

describe('payloads', () => {
  it('G-9: carry JSON and bigints without loss', () => {
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 3 },
        fc.string(),
        fc.integer(),
        fc.boolean(),
        fc.constant(null),
        fc.bigInt(),
        fc.array(tie('any')),
        fc.dictionary(fc.string({ minLength: 1, maxLength: 3 }), tie('any')),
      ),
    })).any
    fc.assert(
      fc.property(value, (sent) => {
        expect(jsonCodec.decode(jsonCodec.encode(sent))).toEqual(sent)
      }),
    )
    expect(jsonCodec.decode(jsonCodec.encode(undefined))).toBeUndefined()
    const long = 'ü'.repeat(50_000)
    expect(jsonCodec.decode(jsonCodec.encode(long))).toBe(long)
  })
})

describe('failures', () => {
  it('RP-6: carry no stack, stay small, and stay what they are', () => {
    const error = new RpcApplicationError('x', 'y'.repeat(5_000), {
      details: { big: 'z'.repeat(10_000) },
    })
    const sent = encodeFailure(error, false)
    expect(sent.length).toBeLessThan(2_000)
    expect(new TextDecoder().decode(sent)).not.toContain('wire.test')
    expect(decodeFailure(sent)).toMatchObject({ code: 'x', details: { truncated: true } })
    const leaked = decodeFailure(encodeFailure(new UnavailableError('x'), false))
    expect(leaked.outcome).toBe('unknown')
    expect(decodeFailure(encodeFailure(new OutcomeUnknownError('x'), true))).toBeInstanceOf(
      OutcomeUnknownError,
    )
  })

  it('RP-6: garbage is an unknown failure', () => {
    fc.assert(
      fc.property(bytes(40), (garbage) => {
        const error = decodeFailure(garbage)
        expect(error).toBeInstanceOf(HoldfastError)
        expect(error.outcome).toBe('unknown')
      }),
    )
  })
})
