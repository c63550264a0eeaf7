/**
 * Locks on trial, several at a time. Two flows in each of three processes move money between four
 * accounts. A transfer locks both accounts, reads both, thinks, and writes both as plain values, so any
 * overlap loses money or makes some. Processes are killed and stopped, the machine loses power, hints get
 * lost and the disk is slow.
 *
 * The judges:
 *   two-flows   While one flow's `isHeld()` is true, no other flow has been given a larger token for the
 *               same account, in the same process or another.
 *   money       At any time the sum of all accounts is what it was.
 *   freed-early Leaving an inner entry does not end the outer one.
 *   no-progress Nobody waits for ever: after healing, transfers go on between all pairs (no deadlock).
 */
import { embedded } from '../drivers/embedded/index.ts'
import { ClosedError, HoldfastError } from '../errors.ts'
import type { LeaseStore } from '../ports/lease-store.ts'
import { type Runtime, type SqlFile, type SqlRow, sleep } from '../runtime/index.ts'
import type { Process, World } from '../simulation/world.ts'
import { acceptFence, fenceTable } from './fence.ts'
import type { Lock } from './lock.ts'
import { type LockSet, lockAll } from './lock-all.ts'

type LockAll = typeof lockAll

export interface LockTrialOptions {
  /** A bug to plant: another way to lock several names. */
  readonly lockAll?: LockAll
  /** A bug to plant: the accounts do not look at tokens. */
  readonly noFence?: boolean
}

const ttlMs = 1_200
const accounts = ['a', 'b', 'c', 'd'] as const
const initial = 100
const transfersMin = 8

const bankTables = `
  CREATE TABLE account (name TEXT PRIMARY KEY, balance INTEGER NOT NULL);
  INSERT INTO account VALUES ('a', 100), ('b', 100), ('c', 100), ('d', 100);
  CREATE TABLE transfer (place INTEGER PRIMARY KEY, pair TEXT NOT NULL);
`

export function lockTrial(options: LockTrialOptions = {}): (world: World) => void {
  return (world) => {
    const machine = world.machine('m')
    const judge = flowsJudge(world)
    for (const name of ['teller-1', 'teller-2', 'teller-3']) {
      const process: Process = machine.process(name, (runtime) => {
        judge.restarted(name, process)
        const granted = (lock: Lock): void => judge.granted(name, lock)
        return teller({ world, runtime, options, granted })
      })
    }
    const verify = async (runtime: Runtime): Promise<void> => {
      const bank = await openBank(runtime)
      const transfers = () => rows(bank, 'SELECT pair FROM transfer ORDER BY place')
      const before = (await transfers()).length
      for (;;) {
        const since = (await transfers()).slice(before)
        if (since.length >= transfersMin) break
        await sleep(runtime.timers, 500)
      }
      const balances = await rows(bank, 'SELECT balance FROM account ORDER BY name')
      const sum = balances.reduce((total, { balance }) => total + Number(balance), 0)
      const expected = initial * accounts.length
      if (sum !== expected) world.fail('money', `the accounts hold ${sum}, not ${expected}`)
    }
    world.afterHealing('the money is all there', verify, { machine: machine.name })
  }
}

interface Teller {
  readonly world: World
  readonly runtime: Runtime
  readonly options: LockTrialOptions
  granted(lock: Lock): void
}

async function teller(context: Teller): Promise<void> {
  const { runtime } = context
  const { leases } = await persistently(runtime, () =>
    embedded(runtime, { path: '/leases.db', namespace: 'trial' }),
  )
  const bank = await persistently(runtime, () => openBank(runtime))
  await Promise.all([flow(context, leases, bank), flow(context, leases, bank)])
}

async function flow(context: Teller, leases: LeaseStore, bank: SqlFile): Promise<void> {
  const { runtime, options } = context
  const lockBoth = options.lockAll ?? lockAll
  const upTo = (limit: number): number => Math.floor(runtime.random.fraction('flow') * limit)
  for (;;) {
    await sleep(runtime.timers, upTo(300))
    const source = accounts[upTo(4)] ?? 'a'
    const target = accounts[upTo(4)] ?? 'b'
    if (source === target) continue
    const locks = await attempt(lockBoth(runtime, leases, [source, target], { ttlMs }))
    if (locks === undefined) continue
    for (const lock of locks.locks.values()) context.granted(lock)
    await attempt(transfer(context, bank, locks, { source, target, amount: 1 + upTo(10) }))
    await locks[Symbol.asyncDispose]()
  }
}

async function transfer(
  { world, runtime, options }: Teller,
  bank: SqlFile,
  { locks }: LockSet,
  order: { readonly source: string; readonly target: string; readonly amount: number },
): Promise<void> {
  const { source, target, amount } = order
  const guard = options.noFence
    ? []
    : Array.from(locks.values(), ({ name, token }) => acceptFence('bank', name, token))
  const names = [source, target]
  const read = {
    sql: 'SELECT name, balance FROM account WHERE name IN (?1, ?2) ORDER BY name',
    parameters: names,
  }
  const seen = await bank.run({ statements: [...guard, read] })
  if (seen.refusedAt !== undefined) return world.reached('an old token was refused at reading')
  const balances = seen.results[guard.length]?.rows ?? []
  const balanceOf = (name: string): number =>
    Number(balances.find((row) => row.name === name)?.balance)
  for (const lock of locks.values()) await enterAgain(world, lock)
  await sleep(runtime.timers, Math.floor(runtime.random.fraction('think') * ttlMs))
  // Nobody looks at the clock or the signal here: the fence alone must keep the money together.
  const set = 'UPDATE account SET balance = ?2 WHERE name = ?1'
  const written = await bank.run({
    statements: [
      ...guard,
      { sql: set, parameters: [source, balanceOf(source) - amount] },
      { sql: set, parameters: [target, balanceOf(target) + amount] },
      { sql: 'INSERT INTO transfer (pair) VALUES (?1)', parameters: [names.join('>')] },
    ],
  })
  if (written.refusedAt !== undefined) world.reached('an old token was refused at writing')
  else world.reached('money was moved')
}

async function enterAgain(world: World, outer: Lock): Promise<void> {
  const inner = outer.reenter()
  await inner.release()
  const { aborted, reason } = outer.signal
  if (aborted && reason instanceof ClosedError) {
    world.fail('freed-early', `${outer.name}/${outer.token} ended with an inner entry`)
  }
}

interface FlowsJudge {
  restarted(teller: string, process: Process): void
  granted(teller: string, lock: Lock): void
}

interface Held {
  readonly teller: string
  readonly lock: Lock
}

function flowsJudge(world: World): FlowsJudge {
  const processes = new Map<string, Process>()
  const newest = new Map<string, bigint>()
  let held: readonly Held[] = []
  world.invariant('two-flows', () => {
    // What a dead process believed is of no consequence, also after it has started again.
    held = held.filter(({ teller, lock }) => processes.get(teller)?.alive && lock.isHeld())
    for (const { teller, lock } of held) {
      if (lock.token < (newest.get(lock.name) ?? 0n)) {
        return `${teller} holds ${lock.name}/${lock.token}, but ${newest.get(lock.name)} was given`
      }
    }
    return true
  })
  return {
    restarted(teller, process) {
      processes.set(teller, process)
      held = held.filter((entry) => entry.teller !== teller)
    },
    granted(teller, lock) {
      const last = newest.get(lock.name) ?? 0n
      // The first may have run out while its set waited for the second: then it was given on.
      if (lock.token === last) world.fail('two-flows', `${lock.name}/${last} was given twice`)
      if (lock.token > last) newest.set(lock.name, lock.token)
      held = [...held, { teller, lock }]
    },
  }
}

async function rows(bank: SqlFile, sql: string): Promise<readonly SqlRow[]> {
  const { results } = await bank.run({ mode: 'read', statements: [{ sql }] })
  return results[0]?.rows ?? []
}

function openBank(runtime: Runtime): Promise<SqlFile> {
  return runtime.sql.open({ path: '/bank.db', migrations: [fenceTable, bankTables] })
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
