import { describe, expect, it } from 'vitest'
import { CorruptDataError, FormatTooNewError, InvalidArgumentError } from '../../errors.ts'
import { inVirtualTime } from '../../testing/index.ts'
import { paxosClient } from './client.ts'
import { decode, encode } from './codec.ts'

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

describe('Paxos on the wire', () => {
  it('G-10: format 1, on record to the bit', () => {
    const request = {
      kind: 'do',
      id: 'r1',
      session: 's',
      sequence: 1,
      command: Uint8Array.of(0, 255),
    }
    expect(text(encode(request))).toBe(
      '\u0001{"kind":"do","id":"r1","session":"s","sequence":1,"command":{"$bytes":"AP8="}}',
    )
    expect(decode(encode(request))).toEqual(request)
  })

  it('G-10: a later format and junk are told apart', () => {
    expect(() => decode(Uint8Array.of(2, 123, 125))).toThrow(FormatTooNewError)
    expect(() => decode(Uint8Array.of(0, 123, 125))).toThrow(CorruptDataError)
    expect(() => decode(Uint8Array.of(1, 123))).toThrow(CorruptDataError)
    expect(() => decode(new Uint8Array(0))).toThrow(CorruptDataError)
  })

  it('G-11: what does not fit a datagram is refused before it is sent', () =>
    inVirtualTime(async (_, runtime) => {
      const { machine } = runtime.identity
      const client = await paxosClient(runtime, { address: `${machine}:0`, members: ['nobody:1'] })
      const tooLong = client.command(new Uint8Array(16_385), { timeoutMs: 1_000 })
      await expect(tooLong).rejects.toThrow(InvalidArgumentError)
      const never = client.question(new Uint8Array(1), { timeoutMs: Number.NaN })
      await expect(never).rejects.toThrow('timeoutMs is NaN; expected 1 to 600000')
      await client.close()
    }))
})
