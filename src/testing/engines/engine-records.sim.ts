/**
 * Clients write, delete and read the same few records in a store on another machine, count, and move money
 * between two accounts, under faults. The clients themselves never die, so that they can say what they were
 * told.
 *
 *   linearizable(record)   every record and counter is linearizable
 *   atomic                 in the end the accounts hold what they held in the beginning
 */
import {
  type RecordInput,
  type RecordOutput,
  recordModel,
} from '../../drivers/cluster/record-model.sim.ts'
import type { DriverStores } from '../../ports/driver.ts'
import type { RecordStore, RecordWrite } from '../../ports/record-store.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import type { History } from '../../simulation/history.ts'
import type { World } from '../../simulation/world.ts'
import { linearizable } from '../../verification/index.ts'
import type { Engine } from './engine.ts'
import { settled } from './engine-leases.sim.ts'

export interface EngineRecordTrial {
  engine(world: World): Engine<DriverStores & { readonly records: RecordStore }>
  /** Plants a bug. */
  readonly broken?: (store: RecordStore) => RecordStore
  readonly lastsMs?: number
}

type RecordHistory = History<RecordInput, RecordOutput>

const space = 'trial'
const keys = ['one', 'two'] as const
const accounts = ['left', 'right'] as const
const fundsEach = 100

export function engineRecordTrial(trial: EngineRecordTrial): (world: World) => void {
  const { broken = (store) => store, lastsMs = 10_000 } = trial
  return (world) => {
    const engine = trial.engine(world)
    const history = world.history<RecordInput, RecordOutput>('records')
    for (const name of ['a', 'b', 'c']) {
      world.client(name, async (runtime) => {
        const records = broken(engine.connect(runtime).records)
        const known = new Map<string, bigint>()
        for (let made = 0; world.nowMs() < lastsMs; made += 1) {
          await settled(world, () => act(runtime, records, { history, known }, `${name}.${made}`))
          if (made % 3 === 0) await settled(world, () => move(world, runtime, records))
          await sleep(runtime.timers, 150 * runtime.random.fraction('client'))
        }
      })
    }
    world.afterHealing('the accounts hold what they held', async (runtime) => {
      const { records } = engine.connect(runtime)
      for (;;) {
        const held = await settled(world, () => fundsOf(records))
        if (held === undefined) {
          await sleep(runtime.timers, 250)
          continue
        }
        const sum = held.reduce((total, { funds }) => total + funds, 0)
        if (sum === accounts.length * fundsEach) return
        return world.fail('atomic', `the accounts hold ${sum}`)
      }
    })
    world.check(linearizable(recordModel), { history: 'records' })
  }
}

interface Seen {
  readonly history: RecordHistory
  /** The versions this client saw last. */
  readonly known: Map<string, bigint>
}

async function act(
  runtime: Runtime,
  records: RecordStore,
  { history, known }: Seen,
  value: string,
): Promise<void> {
  const draw = (below: number): number => Math.floor(below * runtime.random.fraction('client'))
  const key = keys[draw(keys.length)] ?? keys[0]
  const last = known.get(key)
  const kind = draw(6)
  if (kind === 0) {
    const by = BigInt(draw(9) - 4)
    await history.record({ type: 'add', key: 'sum', by }, async () => {
      return { sum: await records.increment(space, 'sum', by) }
    })
  } else if (kind <= 2) {
    await history.record({ type: 'get', key }, async () => {
      const found = await records.get(space, key)
      if (found === undefined) return 'absent'
      known.set(key, found.version)
      return { version: found.version, value: found.value }
    })
  } else if (kind === 3 && last !== undefined) {
    await history.record({ type: 'delete', key, expected: last }, async () =>
      (await records.delete(space, key, last)) ? 'deleted' : 'conflict',
    )
  } else {
    const expected = draw(3) === 0 ? 'any' : (last ?? 'absent')
    await history.record({ type: 'put', key, value, expected }, async () => {
      const version = await records.put({ space, key, value, expected })
      if (version === undefined) return 'conflict'
      known.set(key, version)
      return { version }
    })
  }
}

interface Account {
  readonly key: string
  readonly funds: number
  readonly version: bigint | 'absent'
}

async function fundsOf(records: RecordStore): Promise<readonly Account[]> {
  const accountOf = async (key: string): Promise<Account> => {
    const found = await records.get(space, key)
    const funds = found === undefined ? fundsEach : Number(found.value)
    return { key, funds, version: found?.version ?? 'absent' }
  }
  return Promise.all(accounts.map(accountOf))
}

/** Reads both accounts and writes both, if neither has changed meanwhile. */
async function move(world: World, runtime: Runtime, records: RecordStore): Promise<void> {
  const amount = 1 + Math.floor(9 * runtime.random.fraction('client'))
  const read = await fundsOf(records)
  const writes = read.map(
    ({ key, funds, version }, place): RecordWrite => ({
      space,
      key,
      value: String(place === 0 ? funds - amount : funds + amount),
      expected: version,
    }),
  )
  if ((await records.putAll(writes)) === undefined) return world.reached('a move met another')
  world.committed()
  world.reached('money was moved')
}
