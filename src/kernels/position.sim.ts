/**
 * The position kernel on trial. Two or three processes of one machine share the work of carrying items
 * from a history to a table: each claims the bookmark when it starts (and now and then, as a takeover
 * would), handles several items at once, and lets the tracker move the bookmark. Processes are killed and
 * stopped, the machine loses power, the disk is slow.
 *
 * The judges:
 *   skipped     An item at or below the bookmark has its effect in the table. Read in the order bookmark,
 *               then table, so that later effects cannot hide a gap.
 *   went-back   The bookmark, as one observer reads it, never moves back.
 *   two-owners  No advance of a generation succeeds after a newer generation's claim returned.
 *   stuck       After healing every item gets its effect and the bookmark reaches the end.
 */
import { embedded } from '../drivers/embedded/index.ts'
import { HoldfastError } from '../errors.ts'
import { type Runtime, type SqlFile, sleep } from '../runtime/index.ts'
import type { World } from '../simulation/world.ts'
import { type Position, type Positions, positions } from './position.ts'
import { tracker } from './tracker.ts'

export interface PositionTrialOptions {
  /** A bug to plant: the item counts as finished before its effect is durable. */
  readonly finishFirst?: boolean
  /** A bug to plant: wraps the position that a worker has claimed. */
  readonly position?: (position: Position, all: Positions) => Position
}

const itemsCount = 80n
const concurrency = 8
const table = 'CREATE TABLE effect (item INTEGER PRIMARY KEY, times INTEGER NOT NULL)'

export function positionTrial(options: PositionTrialOptions = {}): (world: World) => void {
  return (world) => {
    const machine = world.machine('m')
    const claims = claimsJudge(world)
    const count = 2 + (world.seed % 2)
    for (let index = 1; index <= count; index += 1) {
      machine.process(`worker-${index}`, (runtime) => carry(runtime, options, claims))
    }
    machine.process('observer', (runtime) => observe(world, runtime))
    const verify = async (runtime: Runtime): Promise<void> => {
      const all = await openPositions(runtime)
      while ((await all.open('carry')).value < itemsCount) await sleep(runtime.timers, 500)
      await judgeSkipped(world, itemsCount, await openEffects(runtime))
    }
    world.afterHealing('everything arrived', verify, { machine: machine.name })
  }
}

async function carry(
  runtime: Runtime,
  options: PositionTrialOptions,
  claims: ClaimsJudge,
): Promise<void> {
  const all = await persistently(runtime, () => openPositions(runtime))
  const effects = await persistently(runtime, () => openEffects(runtime))
  for (;;) {
    const position = await attempt(all.claim('carry', runtime.identity.process))
    if (position !== undefined) {
      claims.claimed(position)
      const watched = claims.watched(options.position?.(position, all) ?? position)
      await attempt(carryOn(runtime, watched, effects, options.finishFirst ?? false))
    }
    await sleep(runtime.timers, runtime.random.fraction('rest') * 2_000)
  }
}

/** Carries items until the end, a failure, or the loss of the position. */
async function carryOn(
  runtime: Runtime,
  position: Position,
  effects: SqlFile,
  finishFirst: boolean,
): Promise<void> {
  const track = tracker(runtime, position, { windowMax: 20, flushEvery: 5, flushAfterMs: 100 })
  let next = position.value
  async function hand(): Promise<void> {
    while (next < itemsCount) {
      next += 1n
      const item = next
      await track.begin(item)
      await sleep(runtime.timers, runtime.random.fraction('handle') * 60)
      if (finishFirst) track.finish(item)
      await effects.run({ statements: [effectOf(item)] })
      track.finish(item)
    }
  }
  try {
    await Promise.all(Array.from({ length: concurrency }, hand))
  } finally {
    await attempt(track.close())
  }
}

const effectOf = (item: bigint) => ({
  sql: `INSERT INTO effect VALUES (?1, 1) ON CONFLICT (item) DO UPDATE SET times = times + 1`,
  parameters: [item],
})

/** Looks at the bookmark, then at the effects, again and again. */
async function observe(world: World, runtime: Runtime): Promise<void> {
  const all = await persistently(runtime, () => openPositions(runtime))
  const effects = await persistently(runtime, () => openEffects(runtime))
  let highest = 0n
  for (;;) {
    const position = await attempt(all.open('carry'))
    if (position !== undefined) {
      const { value } = position
      if (value < highest) world.fail('went-back', `from ${highest} to ${value}`)
      highest = value
      if (value > 0n && value < itemsCount) world.reached('seen half way')
      await attempt(judgeSkipped(world, value, effects))
    }
    await sleep(runtime.timers, 30)
  }
}

async function judgeSkipped(world: World, value: bigint, effects: SqlFile): Promise<void> {
  const sql = 'SELECT count(*) AS done, max(times) AS times FROM effect WHERE item <= ?1'
  const { results } = await effects.run({
    mode: 'read',
    statements: [{ sql, parameters: [value] }],
  })
  const { done = 0, times = 0 } = results[0]?.rows[0] ?? {}
  if (Number(times) > 1) world.reached('an effect was repeated')
  if (BigInt(Number(done)) < value) {
    world.fail('skipped', `bookmark at ${value}, but only ${done} effects up to it`)
  }
}

interface ClaimsJudge {
  claimed(position: Position): void
  watched(position: Position): Position
}

function claimsJudge(world: World): ClaimsJudge {
  let newest = 0n
  return {
    claimed({ generation }) {
      if (generation <= newest) world.fail('two-owners', `generation ${generation} came twice`)
      newest = generation
    },
    watched(position) {
      const { generation } = position
      return {
        name: position.name,
        get value() {
          return position.value
        },
        generation,
        rewind: position.rewind,
        async advance(to) {
          const stale = newest > generation && to > position.value
          const moved = await position.advance(to)
          if (stale && moved) world.fail('two-owners', `${generation} moved after ${newest}`)
          if (!moved) world.reached('an old owner was refused')
          return moved
        },
      }
    },
  }
}

async function openPositions(runtime: Runtime): Promise<Positions> {
  const stores = await embedded(runtime, { path: '/positions.db', namespace: 'trial' })
  return positions(stores.records)
}

function openEffects(runtime: Runtime): Promise<SqlFile> {
  return runtime.sql.open({ path: '/effects.db', migrations: [table] })
}

/** Failures with a known shape are part of life here; anything else fails the run. */
async function attempt<Value>(work: Promise<Value>): Promise<Value | undefined> {
  try {
    return await work
  } catch (error) {
    if (error instanceof HoldfastError && error.outcome !== 'invalid') return undefined
    throw error
  }
}

async function persistently<Value>(runtime: Runtime, open: () => Promise<Value>): Promise<Value> {
  for (;;) {
    const opened = await attempt(open())
    if (opened !== undefined) return opened
    await sleep(runtime.timers, 100)
  }
}
