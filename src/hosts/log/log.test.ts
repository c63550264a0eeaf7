/**
 * The log against damage, full disks and halves of writes, and its bytes on record.
 */
import { describe, expect, it, vi } from 'vitest'
import { InvalidArgumentError, OutcomeUnknownError, UnavailableError } from '../../errors.ts'
import type { Disk, DiskFile } from '../../runtime/disk.ts'
import type { Runtime } from '../../runtime/index.ts'
import { inVirtualTime } from '../../testing/index.ts'
import { crc32c } from './checksum.ts'
import type { WriteAheadLog } from './contract.ts'
import { openLog } from './log.ts'

const logId = '00112233445566778899aabbccddeeff'
const first = 'log/0000000000000001.log'

interface Opened {
  readonly log: WriteAheadLog
  readonly found: readonly string[]
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

async function open(
  disk: Disk,
  given: {
    readonly logId?: string
    readonly mustExist?: boolean
    readonly open?: typeof openLog
  } = {},
): Promise<Opened> {
  const found: string[] = []
  const log = await (given.open ?? openLog)(disk, {
    folder: 'log',
    logId: given.logId ?? logId,
    segmentBytes: 4_096,
    mustExist: given.mustExist ?? false,
    opening: () => bytes('opening'),
    replay({ kind, payload }) {
      if (kind === 'data') found.push(new TextDecoder().decode(payload))
    },
  })
  return { log, found }
}

async function append(log: WriteAheadLog, ...records: readonly string[]): Promise<void> {
  await log.append(records.map(bytes), { sync: true })
}

async function change(
  own: Runtime,
  path: string,
  work: (file: DiskFile) => Promise<void>,
): Promise<void> {
  const file = await own.disk.open(path, 'update')
  await work(file)
  await file.close()
}

async function flip(own: Runtime, path: string, at: number): Promise<void> {
  await change(own, path, async (file) => {
    const [byte = 0] = await file.readAt(at, 1)
    await file.writeAt(at, Uint8Array.of(byte ^ 16))
  })
}

async function sizeOf(own: Runtime, path: string): Promise<number> {
  const file = await own.disk.open(path, 'read')
  const size = await file.sizeBytes()
  await file.close()
  return size
}

const errorOf = (work: Promise<unknown>): Promise<{ readonly code?: string } | 'done'> =>
  work.then(
    () => 'done' as const,
    (error) => error,
  )

it('the checksum is CRC-32C, also in parts', () => {
  expect(crc32c(bytes('123456789'))).toBe(0xe3069283)
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa)
  const text = bytes('The quick brown fox jumps over the lazy dog')
  for (let cut = 0; cut <= text.length; cut++) {
    expect(crc32c(text.subarray(cut), crc32c(text.subarray(0, cut)))).toBe(crc32c(text))
  }
})

/** Header; opening; two records of one group; the mark of a closed log. */
const golden = [
  '484f4c44464c4f47010000000000000000112233445566778899aabbccddeeff',
  '010000000000000001000000000000000000000000000000000000002d6958b3',
  '386de772467db324070000000000000001000000000000000000000000000000',
  '6f70656e696e6700599932fde9b2942a03000010386de7720200000000000000',
  '01000000000000006f6e6500000000005a69c40f0000000000000010599932fd',
  '03000000000000000100000000000000a48e9f9a00000000000000205a69c40f',
  '04000000000000000300000000000000',
].join('')

describe('G-10: golden bytes of version 1', () => {
  it('are what is written', async () => {
    await inVirtualTime(async (_world, own) => {
      const { log } = await open(own.disk)
      await append(log, 'one', '')
      await log.close()
      const file = await own.disk.open(first, 'read')
      expect(Buffer.from(await file.readAt(0, 1_000)).toString('hex')).toBe(golden)
    })
  })

  it('are read', async () => {
    await inVirtualTime(async (_world, own) => {
      await own.disk.makeDirectory('log')
      const file = await own.disk.open(first, 'create')
      await file.writeAt(0, new Uint8Array(Buffer.from(golden, 'hex')))
      const { log, found } = await open(own.disk, { mustExist: true })
      expect(found).toEqual(['one', ''])
      await append(log, 'more')
      expect((await open(own.disk)).found).toEqual(['one', '', 'more'])
    })
  })
})

describe('RF-10: rot', () => {
  const groups = Array.from(
    { length: 60 },
    (_, order) => `record ${order} ${'x'.repeat(order * 3)}`,
  )

  async function filled(own: Runtime, closed: boolean): Promise<void> {
    const { log } = await open(own.disk)
    for (const group of groups) await append(log, group)
    if (closed) await log.close()
  }

  it('anywhere in a closed log is refused with file and place, or harms nobody', async () => {
    await inVirtualTime(async (_world, own) => {
      await filled(own, true)
      const names = await own.disk.list('log')
      expect(names.length).toBeGreaterThan(2)
      let refused = 0
      for (const name of names) {
        const path = `log/${name}`
        const size = await sizeOf(own, path)
        for (let at = 0; at < size; at += 41) {
          await flip(own, path, at)
          const result = await errorOf(
            open(own.disk).then(({ found }) => expect(found).toEqual(groups)),
          )
          if (result !== 'done') {
            expect(result).toMatchObject({ code: 'corrupt-data', details: { path } })
            refused++
          }
          await flip(own, path, at)
        }
      }
      expect(refused).toBeGreaterThan(150)
      expect((await open(own.disk)).found).toEqual(groups)
    })
  })

  it('planted: a torn tail accepted anywhere shortens the log without a word', async () => {
    vi.doMock('./tail.ts', () => ({ proofBehind: async () => undefined }))
    vi.resetModules()
    const careless: { openLog: typeof openLog } = await import('./log.ts')
    vi.doUnmock('./tail.ts')
    vi.resetModules()
    await inVirtualTime(async (_world, own) => {
      await filled(own, true)
      const last = `log/${(await own.disk.list('log')).at(-1)}`
      await flip(own, last, 300)
      expect(await errorOf(open(own.disk))).toMatchObject({ code: 'corrupt-data' })
      const { found } = await open(own.disk, { open: careless.openLog })
      expect(found.length).toBeLessThan(groups.length)
    })
  })

  it('in the last group of a log that was not closed is taken for a torn write: the limit', async () => {
    await inVirtualTime(async (_world, own) => {
      await filled(own, false)
      const last = `log/${(await own.disk.list('log')).at(-1)}`
      await flip(own, last, (await sizeOf(own, last)) - 20)
      expect((await open(own.disk)).found).toEqual(groups.slice(0, -1))
    })
  })
})

it('RF-10: a missing segment, and a missing log, are refused', async () => {
  await inVirtualTime(async (_world, own) => {
    const { log } = await open(own.disk)
    for (let order = 0; order < 200; order++) await append(log, 'x'.repeat(40))
    await log.close()
    const names = await own.disk.list('log')
    await own.disk.remove(`log/${names[1]}`)
    expect(await errorOf(open(own.disk))).toMatchObject({ code: 'corrupt-data' })
    for (const name of names) await own.disk.remove(`log/${name}`)
    expect(await errorOf(open(own.disk, { mustExist: true }))).toMatchObject({
      code: 'corrupt-data',
    })
  })
})

it('the bytes of another log, or of this one at another place, are no records', async () => {
  await inVirtualTime(async (_world, own) => {
    const { log } = await open(own.disk)
    await append(log, 'one', 'two')
    const file = await own.disk.open(first, 'read')
    const whole = await file.readAt(0, 10_000)
    await append(log, 'three')
    await log.append([whole], { sync: true })
    await append(log, 'five')
    // The last group but one is torn: inside it are whole records of this very log.
    await log.close()
    const size = await sizeOf(own, first)
    await change(own, first, (given) => given.truncate(size - 32 - 40))
    await flip(own, first, whole.length + 40 + 5)
    const { found } = await open(own.disk)
    expect(found).toEqual(['one', 'two', 'three'])
    expect(await errorOf(open(own.disk, { logId: 'f'.repeat(32), mustExist: true }))).toMatchObject(
      {
        code: 'corrupt-data',
      },
    )
  })
})

it('G-10: a later format is told from damage', async () => {
  await inVirtualTime(async (_world, own) => {
    const { log } = await open(own.disk)
    await log.close()
    await change(own, first, async (file) => {
      const header = await file.readAt(0, 64)
      header[8] = 2
      new DataView(header.buffer).setUint32(60, crc32c(header.subarray(0, 60)), true)
      await file.writeAt(0, header)
    })
    expect(await errorOf(open(own.disk))).toMatchObject({ code: 'format-too-new' })
  })
})

describe('a disk in trouble', () => {
  /** Files whose next write goes wrong as told. */
  function troubled(own: Runtime): { disk: Disk; trouble: 'none' | 'full' | 'half' | 'sync' } {
    const state = { disk: own.disk, trouble: 'none' as 'none' | 'full' | 'half' | 'sync' }
    const broken = (file: DiskFile): DiskFile => ({
      ...file,
      async writeAt(position, given) {
        if (state.trouble === 'full') throw new UnavailableError('no space')
        if (state.trouble !== 'half') return file.writeAt(position, given)
        await file.writeAt(position, given.subarray(0, given.length >> 1))
        throw new OutcomeUnknownError('stopped half way')
      },
      async sync() {
        if (state.trouble === 'sync') throw new OutcomeUnknownError('the sync failed')
        await file.sync()
      },
    })
    state.disk = {
      ...own.disk,
      open: async (path, mode) => broken(await own.disk.open(path, mode)),
    }
    return state
  }

  it('RF-10: full: nothing was written, the tail is clean, and the log goes on', async () => {
    await inVirtualTime(async (_world, own) => {
      const state = troubled(own)
      const { log } = await open(state.disk)
      await append(log, 'one')
      for (const trouble of ['full', 'half'] as const) {
        state.trouble = trouble
        expect(await errorOf(append(log, 'x'.repeat(900), 'y'))).toBeInstanceOf(UnavailableError)
        expect(await errorOf(append(log, 'z'.repeat(5_000)))).toBeInstanceOf(UnavailableError)
        state.trouble = 'none'
        await append(log, `after ${trouble}`)
      }
      expect((await open(own.disk)).found).toEqual(['one', 'after full', 'after half'])
    })
  })

  it('RF-1: a failed sync leaves it open, and the log takes nothing more', async () => {
    await inVirtualTime(async (_world, own) => {
      const state = troubled(own)
      const { log } = await open(state.disk)
      await append(log, 'one')
      state.trouble = 'sync'
      expect(await errorOf(append(log, 'two'))).toBeInstanceOf(OutcomeUnknownError)
      state.trouble = 'none'
      expect(await errorOf(append(log, 'three'))).toBeInstanceOf(UnavailableError)
      expect(await errorOf(log.removeBefore(2))).toBeInstanceOf(UnavailableError)
      await log.close()
      expect((await open(own.disk)).found).toEqual(['one', 'two'])
    })
  })

  it('half a write that cannot be taken back fails the log', async () => {
    await inVirtualTime(async (_world, own) => {
      const state = troubled(own)
      const { log } = await open({
        ...state.disk,
        open: async (path, mode) => {
          const file = await state.disk.open(path, mode)
          return {
            ...file,
            async truncate(size) {
              if (state.trouble === 'half') throw new UnavailableError('no')
              await file.truncate(size)
            },
          }
        },
      })
      await append(log, 'one')
      state.trouble = 'half'
      expect(await errorOf(append(log, 'two'))).toBeInstanceOf(OutcomeUnknownError)
      state.trouble = 'none'
      expect(await errorOf(append(log, 'three'))).toBeInstanceOf(UnavailableError)
      expect((await open(own.disk)).found).toEqual(['one'])
    })
  })
})

it('limits: a group larger than a segment has one of its own; a closed log takes nothing', async () => {
  await inVirtualTime(async (_world, own) => {
    const { log } = await open(own.disk)
    await append(log, 'small')
    await append(log, 'x'.repeat(10_000))
    await append(log, 'small again')
    expect(log.segment()).toBe(3)
    expect(log.sizeBytes()).toBeGreaterThan(10_000)
    await log.removeBefore(99)
    expect(await own.disk.list('log')).toHaveLength(1)
    await log.close()
    await log.close()
    expect(await errorOf(append(log, 'late'))).toBeInstanceOf(UnavailableError)
    expect((await open(own.disk)).found).toEqual(['small again'])
    expect(await errorOf(open(own.disk, { logId: 'short' }))).toBeInstanceOf(InvalidArgumentError)
  })
})
