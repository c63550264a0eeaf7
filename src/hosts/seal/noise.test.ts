import { expect, it } from 'vitest'
import { initiation, response } from './noise.ts'

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'))
const hex = (value: Uint8Array): string => Buffer.from(value).toString('hex')

const secret = bytes('2176657279736563726574766572797365637265747665727973656372657421')
const initiator = bytes('202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f')
const responder = bytes('4142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f60')

/** Published vectors of Noise_NNpsk0_25519_ChaChaPoly_SHA256, with and without prologue and payloads. */
const vectors: readonly {
  readonly prologue: string
  readonly payloads: readonly [string, string]
  readonly messages: readonly [string, string]
}[] = [
  {
    prologue: '',
    payloads: ['', ''],
    messages: [
      '358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd166254' +
        'e7136508cb8178281204abd62e9f2a3e',
      '64b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188dd128d9846d48466' +
        '922f3b7824001193c077abd8b7a73030',
    ],
  },
  {
    prologue: '',
    payloads: ['746573745f6d73675f30', '746573745f6d73675f31'],
    messages: [
      '358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd166254' +
        '7c78f22f8cea986f934a675201c7f431a539e50c9be46986fa89',
      '64b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188dd128d9846d48466' +
        '6913ea64c74c2f63ee5e814fda25301b9508e4685ee02e9852fd',
    ],
  },
  {
    prologue: '6e6f74736563726574',
    payloads: ['', ''],
    messages: [
      '358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd166254' +
        '6e96a20116b68fd776478e81d11779ca',
      '64b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188dd128d9846d48466' +
        '66f51bc44f88917daa53fb4529499b55',
    ],
  },
]

for (const [number, { prologue, payloads, messages }] of vectors.entries()) {
  it(`G-10: vector ${number} of the standard, byte for byte`, () => {
    const begun = initiation(secret, bytes(prologue), initiator, bytes(payloads[0]))
    expect(hex(begun.message)).toBe(messages[0])
    const heard = response(secret, bytes(prologue), begun.message)
    expect(hex(heard.payload)).toBe(payloads[0])
    const answered = heard.answer(responder, bytes(payloads[1]))
    expect(hex(answered.message)).toBe(messages[1])
    const finished = begun.finish(answered.message)
    expect(hex(finished.payload)).toBe(payloads[1])

    const first = finished.outgoing.seal(bytes('79656c6c6f777375626d6172696e65'))
    expect(hex(first)).toBe('b349a522c145762c7c737ac1d1425ce1fb25c7cca626177ee4ceed3cd6fb3d')
    expect(hex(answered.incoming.open(first))).toBe('79656c6c6f777375626d6172696e65')
    const second = answered.outgoing.seal(bytes('7375626d6172696e6579656c6c6f77'))
    expect(hex(second)).toBe('b41e24399dc3f1ad2faf82868700e4bf31bb89f6616e1d6a92802bb8ad80d6')
    expect(hex(finished.incoming.open(second))).toBe('7375626d6172696e6579656c6c6f77')
  })
}

it('a frame opens once, in its place, unchanged', () => {
  const begun = initiation(secret, bytes(''), initiator, bytes(''))
  const answered = response(secret, bytes(''), begun.message).answer(responder, bytes(''))
  const { outgoing } = begun.finish(answered.message)
  const [first, second] = [outgoing.seal(bytes('01')), outgoing.seal(bytes('02'))]
  expect(() => answered.incoming.open(second)).toThrow()
  const again = response(secret, bytes(''), begun.message).answer(responder, bytes(''))
  expect(hex(again.incoming.open(first))).toBe('01')
  expect(() => again.incoming.open(first)).toThrow()
})
