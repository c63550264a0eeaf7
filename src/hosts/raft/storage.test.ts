/**
 * A member's folder: what comes back after a restart, what is refused, and snapshots on their way.
 */
import { expect, it } from 'vitest'
import { OutcomeUnknownError } from '../../errors.ts'
import type { RaftWrite } from '../../protocols/raft/contract.ts'
import type { Configuration, Entry, SnapshotMark } from '../../protocols/raft/entry.ts'
import type { Runtime } from '../../runtime/index.ts'
import { inVirtualTime } from '../../testing/index.ts'
import { crc32c } from '../log/checksum.ts'
import { raftStorage } from './storage.ts'
import type { RaftStorage, SnapshotReceiver } from './storage-contract.ts'

const bootstrap: Configuration = {
  voters: ['a', 'b'],
  outgoing: [],
  learners: [],
  addresses: { a: 'a:1', b: 'b:1' },
  retired: [],
}
const folder = 'member'

const open = (own: Runtime, id = 'a', at = folder): Promise<RaftStorage> =>
  raftStorage(own, { folder: at, id, bootstrap, segmentBytes: 4_096 })

function entry(index: number, term: number, size = 100): Entry {
  return { kind: 'command', index, term, data: new Uint8Array(size).fill(index) }
}

function append(from: number, to: number, term: number, size?: number): RaftWrite {
  const count = to - from + 1
  const entries = Array.from({ length: count }, (_, at) => entry(from + at, term, size))
  return write({ term, keepUntil: from - 1, entries })
}

function write(given: Partial<RaftWrite>): RaftWrite {
  const plain = { ticket: 1, term: 1, vote: undefined, commit: 0, keepUntil: 0, entries: [] }
  return { ...plain, sync: true, ...given }
}

const markAt = (index: number, term: number): SnapshotMark => ({
  index,
  term,
  configuration: bootstrap,
})
const pieces = (seed: number): Uint8Array[] =>
  [0, 70_000, 262_144, 1].map((length) => new Uint8Array(length).fill(seed))

const sums = (all: readonly Uint8Array[] = []): string[] =>
  all.map((piece) => `${piece.length} ${crc32c(piece)}`)

async function flip(own: Runtime, path: string, at: number): Promise<void> {
  const file = await own.disk.open(path, 'update')
  const [byte = 0] = await file.readAt(at, 1)
  await file.writeAt(at, Uint8Array.of(byte ^ 4))
  await file.close()
}

const errorOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'done',
    (error) => error.code,
  )

it('RF-1: vote, term, entries and commit come back', async () => {
  await inVirtualTime(async (_world, own) => {
    const storage = await open(own)
    expect(storage.restored).toEqual({
      term: 0,
      vote: undefined,
      snapshot: markAt(0, 0),
      entries: [],
      commit: 0,
    })
    await storage.write([write({ term: 3, vote: 'b' }), append(1, 5, 3)])
    await storage.write([write({ term: 3, vote: 'b', keepUntil: 5, commit: 4, sync: false })])
    await storage.close()
    const again = await open(own)
    const entries = [1, 2, 3, 4, 5].map((index) => entry(index, 3))
    const expected = { term: 3, vote: 'b', snapshot: markAt(0, 0), entries, commit: 4 }
    expect(again.restored).toEqual(expected)
    expect(again.diskId).toBe(storage.diskId)
    await again.write([write({ term: 4, keepUntil: 2, entries: [entry(3, 4)] })])
    await again.close()
    const third = await open(own)
    expect(third.restored.entries).toEqual([entry(1, 3), entry(2, 3), entry(3, 4)])
    expect(third.restored.commit).toBe(0)
  })
})

it('a gap is refused, and nothing of it is written', async () => {
  await inVirtualTime(async (_world, own) => {
    const storage = await open(own)
    await storage.write([append(1, 3, 1)])
    expect(await errorOf(storage.write([append(4, 5, 1), append(7, 8, 1)]))).toBe(
      'invalid-argument',
    )
    await storage.close()
    expect((await open(own)).restored.entries).toHaveLength(3)
  })
})

it('RF-6: a wiped disk is another disk, and another member cannot use the folder', async () => {
  await inVirtualTime(async (_world, own) => {
    const storage = await open(own)
    await storage.close()
    expect(await errorOf(open(own, 'b'))).toBe('configuration')
    const wiped = await open(own, 'a', 'other')
    expect(wiped.diskId).not.toBe(storage.diskId)
    await own.disk.remove(`${folder}/identity`)
    expect(await errorOf(open(own))).toBe('corrupt-data')
  })
})

it('RF-7: a snapshot takes the place of the log before it; whole segments go', async () => {
  await inVirtualTime(async (_world, own) => {
    const storage = await open(own)
    for (let index = 1; index <= 100; index++) await storage.write([append(index, index, 2)])
    expect(await errorOf(storage.compact(markAt(60, 2), 61))).toBe('invalid-argument')
    await storage.saveSnapshot(markAt(60, 2), pieces(1))
    await storage.saveSnapshot(markAt(50, 2), pieces(2))
    const before = storage.sizeBytes()
    await storage.compact(markAt(60, 2), 51)
    expect(storage.sizeBytes()).toBeLessThan(before - 3_000)
    expect(await errorOf(storage.compact(markAt(60, 2), 62))).toBe('invalid-argument')
    await storage.close()
    const again = await open(own)
    expect(again.restored.snapshot).toEqual(markAt(60, 2))
    expect(again.restored.entries.map(({ index }) => index)).toEqual(
      Array.from({ length: 40 }, (_, at) => 61 + at),
    )
    expect(again.restored).toMatchObject({ term: 2, commit: 60 })
    const stored = await again.readSnapshot()
    expect(sums(await stored?.pieces())).toEqual(sums(pieces(1)))
    await stored?.close()
  })
})

it('RF-10: damage is refused by name and place, a hole and a missing snapshot too', async () => {
  await inVirtualTime(async (_world, own) => {
    const fill = async (at: string, mark = markAt(60, 2)): Promise<void> => {
      const storage = await open(own, 'a', at)
      for (let index = 1; index <= 200; index++) await storage.write([append(index, index, 2)])
      await storage.saveSnapshot(mark, pieces(1))
      await storage.compact(mark, 61)
      await storage.close()
    }
    const corrupt = async (at: string): Promise<unknown> =>
      open(own, 'a', at).catch((error) => error)
    await fill('rot')
    const [, second] = await own.disk.list('rot/log')
    const path = `rot/log/${second}`
    await flip(own, path, 1_000)
    const error = await corrupt('rot')
    expect(error).toMatchObject({ code: 'corrupt-data', details: { path } })
    expect(String(error)).toContain(path)

    await fill('hole')
    await own.disk.remove(`hole/log/${(await own.disk.list('hole/log'))[1]}`)
    expect(await corrupt('hole')).toMatchObject({ code: 'corrupt-data' })

    await fill('front')
    const names = await own.disk.list('front/log')
    for (const name of names.slice(0, 4)) await own.disk.remove(`front/log/${name}`)
    expect(await corrupt('front')).toMatchObject({ code: 'corrupt-data' })

    await fill('end', markAt(150, 2))
    for (const name of names.slice(1)) await own.disk.remove(`end/log/${name}`)
    expect(await corrupt('end')).toMatchObject({ code: 'corrupt-data' })

    await fill('gone')
    for (const name of names) await own.disk.remove(`gone/log/${name}`)
    expect(await corrupt('gone')).toMatchObject({ code: 'corrupt-data' })

    await fill('picture')
    const [picture = ''] = await own.disk.list('picture/snapshots')
    await flip(own, `picture/snapshots/${picture}`, 200_000)
    expect(await corrupt('picture')).toMatchObject({ code: 'corrupt-data' })
    await own.disk.remove(`picture/snapshots/${picture}`)
    expect(await corrupt('picture')).toMatchObject({ code: 'corrupt-data' })
  })
})

/** Sends from `from` until `until` bytes are over. */
async function send(
  from: RaftStorage,
  receiver: SnapshotReceiver,
  until = Number.POSITIVE_INFINITY,
): Promise<number> {
  const stored = await from.readSnapshot()
  if (stored === undefined) throw new Error('there is none to send')
  let position = receiver.position
  while (position < Math.min(stored.sizeBytes, until)) {
    const bytes = await stored.readAt(position, 50_000)
    await receiver.accept(position, bytes)
    position += bytes.length
  }
  await stored.close()
  return stored.sizeBytes
}

it('RF-7: a snapshot is received, resumed, adopted, and replaces what does not agree', async () => {
  await inVirtualTime(async (_world, own) => {
    const leader = await open(own, 'a', 'leader')
    await leader.write([append(1, 50, 2)])
    await leader.saveSnapshot(markAt(40, 2), pieces(7))
    const follower = await open(own, 'b', 'follower')
    await follower.write([append(1, 10, 1)])
    const first = await follower.receiveSnapshot(markAt(40, 2))
    await send(leader, first, 150_000)
    const second = await follower.receiveSnapshot(markAt(40, 2))
    expect(second.position).toBe(150_000)
    expect(await errorOf(first.accept(150_000, new Uint8Array(1)))).toBe('invalid-argument')
    await second.finish(await send(leader, second))
    expect(await follower.readSnapshot()).toBeUndefined()
    await second.adopt()
    await follower.resetLog(markAt(40, 2))
    await follower.write([append(41, 42, 2)])
    await follower.close()
    const again = await open(own, 'b', 'follower')
    expect(again.restored.snapshot).toEqual(markAt(40, 2))
    expect(again.restored.entries).toEqual([entry(41, 2), entry(42, 2)])
    const stored = await again.readSnapshot()
    expect(sums(await stored?.pieces())).toEqual(sums(pieces(7)))
  })
})

it('RF-7: two senders with different pictures of the same state are not mixed', async () => {
  await inVirtualTime(async (_world, own) => {
    const senders = [await open(own, 'a', 'one'), await open(own, 'c', 'two')]
    for (const [order, sender] of senders.entries()) {
      await sender.write([append(1, 50, 2)])
      await sender.saveSnapshot(markAt(40, 2), pieces(order))
    }
    const [one, two] = senders
    if (one === undefined || two === undefined) throw new Error('there are two')
    const follower = await open(own, 'b', 'follower')
    await send(one, await follower.receiveSnapshot(markAt(40, 2)), 150_000)
    const mixed = await follower.receiveSnapshot(markAt(40, 2))
    expect(await errorOf(send(two, mixed))).toBe('corrupt-data')
    const anew = await follower.receiveSnapshot(markAt(40, 2))
    expect(anew.position).toBe(0)
    await anew.finish(await send(two, anew))
    await anew.adopt()
    expect(sums(await (await follower.readSnapshot())?.pieces())).toEqual(sums(pieces(1)))
  })
})

it('RF-7: an older snapshot than the own is ignored', async () => {
  await inVirtualTime(async (_world, own) => {
    const leader = await open(own, 'a', 'leader')
    await leader.write([append(1, 50, 2)])
    await leader.saveSnapshot(markAt(40, 2), pieces(7))
    const follower = await open(own, 'b', 'follower')
    const late = await follower.receiveSnapshot(markAt(40, 2))
    await late.finish(await send(leader, late))
    await follower.write([append(1, 50, 2)])
    await follower.saveSnapshot(markAt(45, 2), pieces(8))
    await late.adopt()
    expect((await follower.readSnapshot())?.mark.index).toBe(45)
    await follower.close()
    expect((await open(own, 'b', 'follower')).restored.entries).toHaveLength(5)
  })
})

it('RF-7: cut off between saying so and doing so, an adoption is completed at the next start', async () => {
  await inVirtualTime(async (_world, own) => {
    const leader = await open(own, 'a', 'leader')
    await leader.write([append(1, 50, 2)])
    await leader.saveSnapshot(markAt(40, 2), pieces(7))
    const stuck: Runtime = {
      ...own,
      disk: {
        ...own.disk,
        async rename(source, target) {
          if (source.endsWith('.received')) throw new OutcomeUnknownError('cut off')
          await own.disk.rename(source, target)
        },
      },
    }
    const follower = await open(stuck, 'b', 'follower')
    await follower.write([append(1, 10, 1)])
    const receiver = await follower.receiveSnapshot(markAt(40, 2))
    await receiver.finish(await send(leader, receiver))
    expect(await errorOf(receiver.adopt())).toBe('outcome-unknown')
    expect(await errorOf(follower.write([append(41, 41, 2)]))).toBe('unavailable')
    const again = await open(own, 'b', 'follower')
    expect(again.restored).toMatchObject({ snapshot: markAt(40, 2), entries: [], commit: 40 })
    expect(sums(await (await again.readSnapshot())?.pieces())).toEqual(sums(pieces(7)))
    await again.close()
    await own.disk.remove('follower/snapshots/0000000000000040-0000000000000002.snapshot')
    expect(await errorOf(open(own, 'b', 'follower'))).toBe('corrupt-data')
  })
})

it('RF-7: a damaged snapshot is passed over only where the log still holds all of it', async () => {
  await inVirtualTime(async (_world, own) => {
    const hoarding: Runtime = {
      ...own,
      disk: {
        ...own.disk,
        remove: async (path) => (path.includes('snapshots') ? false : own.disk.remove(path)),
      },
    }
    const fill = async (at: string, keepFrom: number): Promise<void> => {
      const storage = await open(hoarding, 'a', at)
      for (let index = 1; index <= 100; index++) await storage.write([append(index, index, 2)])
      await storage.saveSnapshot(markAt(40, 2), pieces(1))
      await storage.saveSnapshot(markAt(90, 2), pieces(2))
      await storage.compact(markAt(90, 2), keepFrom)
      await storage.close()
      await flip(own, `${at}/snapshots/0000000000000090-0000000000000002.snapshot`, 70_000)
    }
    await fill('kept', 1)
    const { restored } = await open(own, 'a', 'kept')
    expect(restored.snapshot.index).toBe(40)
    expect(restored.entries).toHaveLength(60)
    await fill('cut', 91)
    expect(await errorOf(open(own, 'a', 'cut'))).toBe('corrupt-data')
  })
})
