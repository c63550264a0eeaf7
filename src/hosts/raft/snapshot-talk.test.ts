import { describe, expect, it } from 'vitest'
import type { SnapshotMark } from '../../protocols/raft/entry.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { inVirtualTime } from '../../testing/index.ts'
import { type Middle, streamPair } from '../framing/stream-pair.ts'
import { type Channel, channel } from './channel.ts'
import { firstMembers } from './members.sim.ts'
import { receiveSnapshot, sendSnapshot } from './snapshot-talk.ts'
import type { RaftStorage, StoredSnapshot } from './storage-contract.ts'
import { frameBytesMax, pieceBytes } from './wire.ts'

const mark: SnapshotMark = { index: 9, term: 2, configuration: firstMembers(['a']) }
const content = Uint8Array.from({ length: 12 * pieceBytes + 17 }, (_, at) => (at * 31) & 255)

/** What a sender has. `reads` is where it was read, to see what a resumed talk sends again. */
function stored(reads: number[] = []): StoredSnapshot {
  return {
    mark,
    sizeBytes: content.length,
    async readAt(position, length) {
      reads.push(position)
      return content.slice(position, position + length)
    },
    pieces: async () => [content],
    async close() {},
  }
}

/** What a receiver keeps, also over a broken link. */
function kept() {
  const here = { bytes: new Uint8Array(0), finished: false }
  const storage: Pick<RaftStorage, 'receiveSnapshot'> = {
    async receiveSnapshot() {
      return {
        position: here.bytes.length,
        async accept(position, bytes) {
          expect(position).toBe(here.bytes.length)
          here.bytes = new Uint8Array(Buffer.concat([here.bytes, bytes]))
        },
        async finish(sizeBytes) {
          expect(sizeBytes).toBe(here.bytes.length)
          here.finished = true
        },
        async adopt() {},
        async abandon() {},
      }
    },
  }
  return { here, storage: storage as RaftStorage }
}

function channels(middle?: Middle): readonly [Channel, Channel] {
  const [near, far] = streamPair(middle)
  const nobody = { frame() {}, closed() {} }
  return [channel(near, frameBytesMax, nobody), channel(far, frameBytesMax, nobody)]
}

async function talk(
  { timers }: Runtime,
  [near, far]: readonly [Channel, Channel],
  storage: RaftStorage,
  snapshot: StoredSnapshot,
  isWanted = true,
) {
  const [sent, came] = await Promise.allSettled([
    sendSnapshot(timers, near, snapshot, 3, 1_000),
    receiveSnapshot(timers, far, storage, () => isWanted, 1_000),
  ])
  return { sent, came }
}

describe('RF-7: a snapshot on its way', () => {
  it('arrives whole, and the receiver says so after it is checked', () =>
    inVirtualTime(async (_world, runtime) => {
      const { here, storage } = kept()
      const { sent, came } = await talk(runtime, channels(), storage, stored())
      expect(sent.status).toBe('fulfilled')
      expect(came).toMatchObject({ status: 'fulfilled', value: { offer: { term: 3, mark } } })
      expect(Buffer.compare(here.bytes, content)).toBe(0)
      expect(here.finished).toBe(true)
    }))

  it('goes on where a broken link cut it off', () =>
    inVirtualTime(async (_world, runtime) => {
      const { here, storage } = kept()
      let frames = 0
      const cut = channels((direction, bytes, pass) => {
        if (direction === 'back' || ++frames <= 5) pass(bytes)
      })
      const first = await talk(runtime, cut, storage, stored())
      expect(first.sent.status).toBe('rejected')
      expect(first.came.status).toBe('rejected')
      const position = here.bytes.length
      expect(position).toBeGreaterThan(0)
      expect(position).toBeLessThan(content.length)
      const reads: number[] = []
      const second = await talk(runtime, channels(), storage, stored(reads))
      expect(second.sent.status).toBe('fulfilled')
      expect(Math.min(...reads)).toBe(position)
      expect(Buffer.compare(here.bytes, content)).toBe(0)
    }))

  it('is not sent to who has more already', () =>
    inVirtualTime(async (_world, runtime) => {
      const reads: number[] = []
      const { sent, came } = await talk(runtime, channels(), kept().storage, stored(reads), false)
      expect([sent.status, came.status]).toEqual(['fulfilled', 'fulfilled'])
      expect(reads).toEqual([])
    }))

  it('does not run ahead of the receiver by more than the window', () =>
    inVirtualTime(async (_world, runtime) => {
      let out = 0
      let most = 0
      const watched = channels((direction, bytes, pass) => {
        // A piece there, an acknowledgement back.
        if (bytes.length > 1_000) out += direction === 'there' ? 1 : 0
        else if (direction === 'back') out = Math.max(0, out - 1)
        most = Math.max(most, out)
        pass(bytes)
      })
      await talk(runtime, watched, kept().storage, stored())
      expect(most).toBeGreaterThan(1)
      expect(most).toBeLessThanOrEqual(8)
    }))
})
