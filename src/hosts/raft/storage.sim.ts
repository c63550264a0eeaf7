/**
 * A member's storage on trial. One program writes votes, entries and cuts, takes snapshots and lets the log go,
 * adopts snapshots from elsewhere, and starts again, while its process is killed, the power is cut, sectors
 * tear, syncs fail and the disk fills up.
 *
 * The judges, at every start:
 *   forgotten  Term, vote and entries are those of the last write that returned, or of one after it that
 *              was cut short: in order, nothing left out, nothing made up.
 *   picture    The snapshot is there, newest first, and says what it said.
 *   refused    It starts: no crash may look like damage.
 */
import { outcomeOf } from '../../errors.ts'
import type { RaftWrite } from '../../protocols/raft/contract.ts'
import type { Configuration, Entry, SnapshotMark } from '../../protocols/raft/entry.ts'
import type { Disk } from '../../runtime/disk.ts'
import type { Runtime } from '../../runtime/index.ts'
import { sleep } from '../../runtime/sleep.ts'
import type { World } from '../../simulation/world.ts'
import { fileInMemory } from './memory-file.sim.ts'
import { raftStorage } from './storage.ts'
import type { RaftStorage } from './storage-contract.ts'
import { writeSnapshot } from './storage-snapshot-format.ts'

export interface StorageTrialOptions {
  /** A bug to plant: another disk. */
  readonly disk?: (disk: Disk) => Disk
  /** A bug to plant: another storage over the same folder. */
  readonly storage?: (storage: RaftStorage) => RaftStorage
  readonly turns?: number
}

/** What should be on disk. `entries[i]` is entry `i + 1`: its term and a number nobody else has. */
interface State {
  readonly term: number
  readonly vote: string | undefined
  readonly entries: readonly (string | undefined)[]
  readonly snapshotIndex: number
}

interface Truth {
  /** What was promised. */
  safe: State
  /** What may be there instead: steps begun since, in order. */
  maybe: State[]
  turns: number
  made: number
}

export const configuration: Configuration = {
  voters: ['a', 'b', 'c'],
  outgoing: [],
  learners: [],
  addresses: { a: 'a:1', b: 'b:1', c: 'c:1' },
  retired: [],
}

export function storageTrial(options: StorageTrialOptions = {}): (world: World) => void {
  const turns = options.turns ?? 40
  return (world) => {
    const safe = { term: 0, vote: undefined, entries: [], snapshotIndex: 0 }
    const truth: Truth = { safe, maybe: [], turns: 0, made: 0 }
    world.machine('m').process('member', async (runtime) => {
      while (truth.turns < turns) {
        // A disk in trouble is left alone for a while; then the member starts again.
        const failure = await life(world, runtime, truth, options).catch((error: unknown) => error)
        if (failure !== undefined && outcomeOf(failure) === 'invalid') {
          world.fail('refused', String(failure))
        }
        await sleep(runtime.timers, 3)
      }
    })
    world.client('patience', async (runtime) => {
      while (truth.turns < turns) await sleep(runtime.timers, 50)
    })
  }
}

async function life(
  world: World,
  runtime: Runtime,
  truth: Truth,
  options: StorageTrialOptions,
): Promise<void> {
  const disk = options.disk?.(runtime.disk) ?? runtime.disk
  const real = await raftStorage(
    { ...runtime, disk },
    { folder: 'member', id: 'a', bootstrap: configuration, segmentBytes: 4_096 },
  )
  const storage = options.storage?.(real) ?? real
  await judge(world, truth, storage)
  const actor: Actor = {
    storage,
    truth,
    world,
    below: (bound) => Math.floor(runtime.random.fraction('trial') * bound),
  }
  for (let turn = 1 + actor.below(30); turn > 0; turn--) {
    const choice = actor.below(16)
    if (choice < 14) await someWrites(actor)
    else if (choice < 15) await ownSnapshot(actor)
    else await foreignSnapshot(actor)
    truth.turns++
  }
  if (actor.below(2) === 0) await storage.close()
}

interface Actor {
  readonly storage: RaftStorage
  readonly truth: Truth
  readonly world: World
  below(bound: number): number
}

/** The state as of now is promised, once this is done. */
function promised(truth: Truth): void {
  truth.safe = truth.maybe.at(-1) ?? truth.safe
  truth.maybe = []
}

async function someWrites({ storage, truth, below }: Actor): Promise<void> {
  const before = truth.maybe.length
  const batch: RaftWrite[] = []
  for (let count = 1 + below(3); count > 0; count--) {
    const state = truth.maybe.at(-1) ?? truth.safe
    const newTerm = below(4) === 0
    const term = state.term + (newTerm ? 1 : 0)
    const vote = newTerm ? ['a', 'b', undefined][below(3)] : state.vote
    const room = state.entries.length - state.snapshotIndex
    const cut = newTerm ? below(room + 1) : 0
    const keepUntil = state.entries.length - cut
    const entries = Array.from({ length: below(5) }, (_, order): Entry => {
      const data = numbered(truth.made++, below(below(4) > 0 ? 60 : 900))
      return { kind: 'command', index: keepUntil + 1 + order, term, data }
    })
    const commit = state.snapshotIndex
    batch.push({ ticket: 1, term, vote, commit, keepUntil, entries, sync: true })
    const kept = state.entries.slice(0, keepUntil)
    truth.maybe.push({ ...state, term, vote, entries: [...kept, ...entries.map(labelOf)] })
  }
  try {
    await storage.write(batch)
  } catch (error) {
    if (outcomeOf(error) === 'not-applied') truth.maybe.length = before
    throw error
  }
  promised(truth)
}

async function ownSnapshot({ storage, truth, below, world }: Actor): Promise<void> {
  const state = truth.safe
  const room = state.entries.length - state.snapshotIndex
  if (room === 0) return
  const index = state.snapshotIndex + 1 + below(room)
  const term = termOf(state.entries[index - 1])
  const mark: SnapshotMark = { index, term, configuration }
  truth.maybe.push({ ...state, snapshotIndex: index })
  try {
    await storage.saveSnapshot(mark, picture(index))
  } catch (error) {
    if (outcomeOf(error) === 'not-applied') truth.maybe.pop()
    throw error
  }
  promised(truth)
  world.reached('a snapshot was saved')
  const before = storage.sizeBytes()
  await storage.compact(mark, index + 1 - below(3))
  if (storage.sizeBytes() < before) world.reached('a segment was let go')
}

async function foreignSnapshot({ storage, truth, below, world }: Actor): Promise<void> {
  const state = truth.safe
  const index = state.entries.length + 1 + below(5)
  const mark: SnapshotMark = { index, term: state.term, configuration }
  const { file, bytes } = fileInMemory()
  await writeSnapshot(file, mark, picture(index), numbered(truth.made++, 8))
  const receiver = await storage.receiveSnapshot(mark)
  const sent = bytes()
  for (let at = receiver.position; at < sent.length; at += 30_000) {
    await receiver.accept(at, sent.subarray(at, at + 30_000))
  }
  await receiver.finish(sent.length)
  const entries = Array.from<string | undefined>({ length: index })
  truth.maybe.push({ ...state, entries, snapshotIndex: index })
  await receiver.adopt()
  await storage.resetLog(mark)
  promised(truth)
  world.reached('a snapshot was adopted')
}

async function judge(world: World, truth: Truth, storage: RaftStorage): Promise<void> {
  const { restored } = storage
  const candidates = [truth.safe, ...truth.maybe]
  const found = candidates.findLast((state) => describe(state) === describeRestored(storage))
  if (found === undefined) {
    const expected = candidates.map(describe).join('\n  or ')
    world.fail('forgotten', `found\n     ${describeRestored(storage)}\nof ${expected}`)
    return
  }
  if (truth.maybe.length > 0) world.reached('a write was cut short')
  if (truth.maybe.includes(found)) world.reached('a write that was cut short is there')
  truth.safe = found
  truth.maybe = []
  const stored = await storage.readSnapshot()
  const { index } = restored.snapshot
  if ((stored?.mark.index ?? 0) !== index) world.fail('picture', `it is not that of ${index}`)
  const pieces = (await stored?.pieces()) ?? []
  await stored?.close()
  const expected = index === 0 ? [] : [...picture(index)]
  const same = pieces.every((piece, at) => sameBytes(piece, expected[at]))
  if (pieces.length !== expected.length || !same) world.fail('picture', 'it says something else')
}

function describe({ term, vote, entries, snapshotIndex }: State): string {
  const behind = entries.slice(snapshotIndex).join(' ')
  return `term ${term} vote ${vote} snapshot ${snapshotIndex} entries ${behind}`
}

function describeRestored({ restored }: RaftStorage): string {
  const { term, vote, snapshot, entries } = restored
  const behind = entries.map(labelOf).join(' ')
  return `term ${term} vote ${vote} snapshot ${snapshot.index} entries ${behind}`
}

/** Two pieces, of which the second goes over several blocks now and then. */
function picture(index: number): readonly Uint8Array[] {
  return [numbered(index, 10), numbered(index, index % 16 === 0 ? 100_000 : 300)]
}

/** A number, then filling that goes with it. */
function numbered(number: number, filling: number): Uint8Array {
  const bytes = new Uint8Array(8 + filling).fill(1 + (number % 250), 8)
  bytes.set(new TextEncoder().encode(String(number).padStart(8, '0')))
  return bytes
}

function labelOf(entry: Entry): string {
  const bytes = entry.kind === 'command' ? entry.data : new Uint8Array(0)
  const number = Number(new TextDecoder().decode(bytes.subarray(0, 8)))
  const whole = sameBytes(bytes, numbered(number, bytes.length - 8))
  return `${entry.term}:${number}${whole ? '' : ' damaged'}`
}

function termOf(label: string | undefined): number {
  return Number(label?.split(':')[0])
}

function sameBytes(a: Uint8Array, b: Uint8Array | undefined): boolean {
  if (b === undefined || a.length !== b.length) return false
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false
  return true
}
