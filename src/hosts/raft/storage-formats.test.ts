/**
 * What a member stores, to the bit. A file of version 1 looks like this for ever: if this fails, raise the
 * version and keep reading the old one; do not mend the hex.
 */
import { describe, expect, it } from 'vitest'
import { CorruptDataError, FormatTooNewError } from '../../errors.ts'
import type { Configuration, Entry } from '../../protocols/raft/entry.ts'
import { inVirtualTime } from '../../testing/index.ts'
import { fileInMemory } from './memory-file.sim.ts'
import { readIdentity, writeIdentity } from './storage-identity.ts'
import { decodeRecord, encodeRecord, encodeWrite, type StoredRecord } from './storage-record.ts'
import { readSnapshot, writeSnapshot } from './storage-snapshot-format.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const unhex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'))

const configuration: Configuration = {
  voters: ['a'],
  outgoing: [],
  learners: [],
  addresses: { a: 'h:1' },
  retired: [],
}
const command: Entry = { kind: 'command', term: 3, index: 8, data: Uint8Array.of(1, 2) }
const id = Uint8Array.from({ length: 16 }, (_, at) => at)

const records: readonly (readonly [StoredRecord, string])[] = [
  [
    { kind: 'opening', term: 300, vote: 'a', commit: 7, lastIndex: 9, lastTerm: 2 },
    '0100ac020101610709' + '02',
  ],
  [
    { kind: 'write', term: 3, vote: undefined, commit: 7, keepUntil: 7, entries: [command] },
    '0101030007070101080103020102',
  ],
  [{ kind: 'reset', index: 200, term: 3 }, '0102c80103'],
]

describe('G-10: records of the log, version 1', () => {
  it.each(records)('%o', (record, golden) => {
    expect(hex(encodeRecord(record))).toBe(golden)
    expect(decodeRecord(unhex(golden))).toEqual(record)
  })

  it('are refused if cut, followed by more, or of a later version', () => {
    for (const [, golden] of records) {
      const whole = unhex(golden)
      for (let length = 0; length < whole.length; length++) {
        expect(() => decodeRecord(whole.subarray(0, length))).toThrow(CorruptDataError)
      }
      expect(() => decodeRecord(Uint8Array.of(...whole, 0))).toThrow(CorruptDataError)
      expect(() => decodeRecord(Uint8Array.of(2, ...whole.subarray(1)))).toThrow(FormatTooNewError)
    }
    expect(() => decodeRecord(Uint8Array.of(1, 9))).toThrow(CorruptDataError)
  })

  it('a long write goes into several, and any first ones of them are a write that was meant', () => {
    const entries = Array.from({ length: 5 }, (_, at): Entry => {
      return { kind: 'command', term: 3, index: 8 + at, data: new Uint8Array(3_000_000) }
    })
    const plain = { ticket: 1, term: 3, vote: 'a', commit: 7, sync: true }
    const written = encodeWrite({ ...plain, keepUntil: 7, entries }).map(decodeRecord)
    expect(written.map((record) => record.kind === 'write' && record.keepUntil)).toEqual([7, 9, 11])
    const back = written.flatMap((record) => (record.kind === 'write' ? record.entries : []))
    expect(back.map(({ index }) => index)).toEqual([8, 9, 10, 11, 12])
  })
})

const snapshot = [
  '3fe2c935484f4c44534e415001000102030405060708090a0b0c0d0e0f120000',
  '0001c801030101016100000001016103683a310300000001020300000000ffff',
  'ffff02000000000000000300000000000000',
].join('')

const identityBytes = [
  '14686f6c64666173742072616674206d656d6265720101612066666666666666',
  '6666666666666666666666666666666666666666666666666601010101610000',
  '0001016103683a31d80cc069',
].join('')

describe('G-10: a snapshot, version 1', () => {
  const mark = { index: 200, term: 3, configuration }
  const pieces = [Uint8Array.of(1, 2, 3), new Uint8Array(0)]

  it('is written and read', async () => {
    const { file, bytes } = fileInMemory()
    expect(await writeSnapshot(file, mark, pieces, id)).toBe(bytes().length)
    expect(hex(bytes())).toBe(snapshot)
    const reader = await readSnapshot(file, 'x')
    expect(reader.mark).toEqual(mark)
    expect([await reader.next(), await reader.next(), await reader.next()]).toEqual([
      ...pieces,
      undefined,
    ])
  })

  it('goes over block ends of every kind, and shows any flipped bit and any cut', async () => {
    // 65_532 bytes of the stream fit in a block; the head takes 47, each piece 4 more, the end 20.
    for (const length of [
      65_460, 65_461, 65_462, 65_477, 65_480, 65_481, 65_482, 131_000, 1_100_000,
    ]) {
      const { file, bytes } = fileInMemory()
      const sizes = Array.from({ length: Math.ceil(length / 200_000) }, (_, at) =>
        Math.min(200_000, length - at * 200_000),
      )
      await writeSnapshot(
        file,
        mark,
        sizes.map((size) => new Uint8Array(size).fill(5)),
        id,
      )
      expect(await sizesIn(file)).toEqual(sizes)
      const whole = bytes().length
      for (const cut of [whole - 1, whole - 20, 65_536, 65_540]) {
        if (cut >= whole) continue
        const shorter = fileInMemory()
        await shorter.file.writeAt(0, bytes().subarray(0, cut))
        await expect(sizesIn(shorter.file)).rejects.toThrow(CorruptDataError)
      }
      for (let at = 0; at < whole; at += 9_973) {
        const [byte = 0] = await file.readAt(at, 1)
        await file.writeAt(at, Uint8Array.of(byte ^ 1))
        await expect(sizesIn(file)).rejects.toThrow(CorruptDataError)
        await file.writeAt(at, Uint8Array.of(byte))
      }
    }
  })
})

async function sizesIn(file: Parameters<typeof readSnapshot>[0]): Promise<number[]> {
  const reader = await readSnapshot(file, 'x')
  const sizes: number[] = []
  for (let piece = await reader.next(); piece; piece = await reader.next()) sizes.push(piece.length)
  return sizes
}

it("G-10: a member's identity, version 1", async () => {
  await inVirtualTime(async (_world, { disk }) => {
    await disk.makeDirectory('m')
    const identity = { id: 'a', diskId: 'f'.repeat(32), bootstrap: configuration, begun: true }
    await writeIdentity(disk, 'm', identity)
    const file = await disk.open('m/identity', 'update')
    expect(hex(await file.readAt(0, 1_000))).toBe(identityBytes)
    expect(await readIdentity(disk, 'm', 'a')).toEqual(identity)
    await file.writeAt(30, Uint8Array.of(0))
    await expect(readIdentity(disk, 'm', 'a')).rejects.toThrow(CorruptDataError)
  })
})
