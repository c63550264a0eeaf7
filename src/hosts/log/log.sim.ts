/**
 * The log on trial. One program writes groups of records, with a sync or without, lets old segments go,
 * closes and opens again, while its process is killed, the power is cut, sectors tear, syncs fail and the
 * disk fills up.
 *
 * The judges, at every opening:
 *   lost      A record whose synced append returned, or that an earlier opening showed, is there.
 *   invented  What is there was appended, in that order, without a gap.
 *   refused   The log opens: no crash may look like damage.
 */
import { outcomeOf } from '../../errors.ts'
import type { Disk } from '../../runtime/disk.ts'
import type { Runtime } from '../../runtime/index.ts'
import { sleep } from '../../runtime/sleep.ts'
import type { World } from '../../simulation/world.ts'
import type { WriteAheadLog } from './contract.ts'
import { openLog } from './log.ts'

export interface LogTrialOptions {
  /** A bug to plant: another disk. */
  readonly disk?: (disk: Disk) => Disk
  /** A bug to plant: another log. */
  readonly open?: typeof openLog
  readonly groups?: number
}

const folder = 'log'
const logId = '00112233445566778899aabbccddeeff'

/** What the world outside knows of the log. */
interface Truth {
  /** Every record that may be there, by its place from the first one ever. */
  readonly records: string[]
  /** So many of them must be. */
  safe: number
  /** So many may be gone from the front. */
  removable: number
  groups: number
  made: number
}

export function logTrial(options: LogTrialOptions = {}): (world: World) => void {
  const groups = options.groups ?? 40
  return (world) => {
    const truth: Truth = { records: [], safe: 0, removable: 0, groups: 0, made: 0 }
    const main = (runtime: Runtime): Promise<void> => writer({ world, runtime, truth, options })
    world.machine('m').process('writer', async (runtime) => {
      while (truth.groups < groups) {
        // A disk in trouble is left alone for a while; then the program starts again.
        const failure = await main(runtime).catch((error: unknown) => error)
        if (failure !== undefined && outcomeOf(failure) === 'invalid') {
          world.fail('refused', String(failure))
        }
        await sleep(runtime.timers, 3)
      }
    })
    world.client('patience', async (runtime) => {
      while (truth.groups < groups) await sleep(runtime.timers, 50)
    })
  }
}

interface Writer {
  readonly world: World
  readonly runtime: Runtime
  readonly truth: Truth
  readonly options: LogTrialOptions
}

async function writer({ world, runtime, truth, options }: Writer): Promise<void> {
  const disk = options.disk?.(runtime.disk) ?? runtime.disk
  const below = (bound: number): number => Math.floor(runtime.random.fraction('log') * bound)
  /** For each segment, how many records came before it. */
  const begins = new Map<number, number>()
  let count: number | undefined
  const found: string[] = []
  const log = await (options.open ?? openLog)(disk, {
    folder,
    logId,
    segmentBytes: 4_096,
    mustExist: truth.safe > 0,
    opening: () => text(String(count ?? 0)),
    replay({ kind, payload, segment }) {
      if (kind === 'opening') {
        const before = Number(decode(payload))
        begins.set(segment, before)
        if (count !== undefined && before !== count) world.fail('invented', 'a gap')
        count = before
        if (begins.size === 1) found.length = 0
        return
      }
      count = (count ?? 0) + 1
      found.push(label(payload))
    },
  })
  const first = [...begins.values()][0] ?? 0
  judge(world, truth, first, found)
  if (first + found.length > truth.safe) world.reached('what was not promised is there')
  if (first + found.length < truth.records.length) world.reached('what was not promised is gone')
  truth.records.length = first + found.length
  truth.safe = truth.records.length
  count = truth.safe
  world.reached(found.length > 0 ? 'found something' : 'began')
  for (let turn = 1 + below(20); turn > 0; turn--) {
    await oneGroup(log, truth, below, (more) => {
      count = (count ?? 0) + more
    })
    if (!begins.has(log.segment())) world.reached('a new segment')
    if (below(4) === 0) await letGo(log, truth, begins)
    truth.groups++
  }
  if (below(2) === 0) await log.close()
}

async function oneGroup(
  log: WriteAheadLog,
  truth: Truth,
  below: (bound: number) => number,
  added: (count: number) => void,
): Promise<void> {
  const before = truth.records.length
  const group = Array.from({ length: 1 + below(4) }, () =>
    payload(truth.made++, below(below(4) > 0 ? 100 : 1_500)),
  )
  truth.records.push(...group.map(label))
  const sync = below(3) > 0
  try {
    await log.append(group, { sync })
  } catch (error) {
    // Nothing was written: it must never turn up.
    if (outcomeOf(error) === 'not-applied') truth.records.length = before
    throw error
  }
  if (sync) truth.safe = truth.records.length
  added(group.length)
}

async function letGo(
  log: WriteAheadLog,
  truth: Truth,
  begins: ReadonlyMap<number, number>,
): Promise<void> {
  const segment = log.segment() - 1
  const before = begins.get(segment)
  if (before === undefined) return
  truth.removable = Math.max(truth.removable, before)
  await log.removeBefore(segment)
}

function judge(world: World, truth: Truth, first: number, found: readonly string[]): void {
  const { records, safe, removable } = truth
  const end = first + found.length
  if (first > removable) world.fail('lost', `the log begins at ${first}, not by ${removable}`)
  if (end < safe) world.fail('lost', `${end} records are there of ${safe} that were promised`)
  const expected = records.slice(first, end)
  const at = found.findIndex((label, index) => label !== expected[index])
  if (at < 0) return
  world.fail('invented', `record ${first + at} is ${found[at]}, not ${expected[at] ?? 'nothing'}`)
}

/** A number, then filling that differs for every record. */
function payload(number: number, filling: number): Uint8Array {
  const bytes = new Uint8Array(8 + filling).fill(1 + (number % 250), 8)
  bytes.set(text(String(number).padStart(8, '0')))
  return bytes
}

/** The number and the filling: no two records have the same. */
function label(bytes: Uint8Array): string {
  const number = decode(bytes.subarray(0, 8))
  const filling = 1 + (Number(number) % 250)
  let wrong = 0
  for (let at = 8; at < bytes.length; at++) if (bytes[at] !== filling) wrong++
  return `${number}+${bytes.length}${wrong === 0 ? '' : ` with ${wrong} bytes damaged`}`
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value)
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}
