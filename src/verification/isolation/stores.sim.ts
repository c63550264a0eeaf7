/**
 * Toy databases that really have the isolation they are named after, and no more: the source of histories
 * whose level is known. Clients take turns by chance, one step at a time; time is the count of turns.
 *
 *   serializable        the whole transaction in one turn, at a moment between call and return
 *   snapshot            reads from the state at its start, first committer wins
 *   stale-snapshot      the same from any older state: snapshot isolation without real time
 *   read-committed      each read sees the latest commits, writes take effect together
 *   read-uncommitted    writes take effect at once, before anybody commits
 *
 * The last two hold a lock on each key they have written until they end.
 */
import type { ListStep, Scalar, Transaction } from './transaction.ts'

export type StoreKind =
  | 'serializable'
  | 'snapshot'
  | 'stale-snapshot'
  | 'read-committed'
  | 'read-uncommitted'

export interface StoreOptions {
  readonly kind: StoreKind
  readonly model: 'list-append' | 'rw-register'
  readonly seed: number
  readonly transactions: number
  readonly processes: number
  readonly keys: number
  readonly stepsMax: number
  /** Out of a hundred: how many end unknown to the client. Default 0. */
  readonly unknownPercent?: number
  /** After so many writes a key is given up for a new one. Default: never. */
  readonly writesPerKey?: number
}

/** xorshift32: whole numbers below a bound. */
export function chance(seed: number): (below: number) => number {
  let state = (seed * 2_654_435_761 + 1) >>> 0 || 1
  return (below) => {
    state ^= state << 13
    state >>>= 0
    state ^= state >>> 17
    state ^= state << 5
    state >>>= 0
    return state % below
  }
}

type Value = readonly Scalar[]

interface Version {
  readonly value: Value
  readonly committedAt: number
}

interface Open {
  readonly process: number
  readonly calledAt: number
  readonly snapshotAt: number
  readonly steps: ListStep[]
  readonly writes: Map<string, Scalar[]>
  stepsLeft: number
}

/** The transactions of one run, in the order of their calls. */
export function recordedHistory(options: StoreOptions): readonly Transaction[] {
  const { kind, model, transactions, processes, keys, stepsMax } = options
  const { unknownPercent = 0, writesPerKey = Number.POSITIVE_INFINITY } = options
  const random = chance(options.seed)
  const versions = new Map<string, Version[]>()
  const written = new Map<string, number>()
  const generation = new Map<number, number>()
  const locks = new Map<string, number>()
  const open: (Open | undefined)[] = Array.from({ length: processes })
  const history: Transaction[] = []
  let now = 0
  let next = 1
  let started = 0

  const latest = (key: string): Value => versions.get(key)?.at(-1)?.value ?? []
  const at = (key: string, moment: number): Value =>
    versions.get(key)?.findLast(({ committedAt }) => committedAt <= moment)?.value ?? []
  const install = (key: string, value: Value): void => {
    const list = versions.get(key) ?? []
    versions.set(key, list)
    // Only stale snapshots look far back.
    if (kind !== 'stale-snapshot' && list.length > 64) list.splice(0, 32)
    list.push({ value, committedAt: now })
  }
  const applied = (value: Value, writes: readonly Scalar[]): Value =>
    model === 'list-append' ? [...value, ...writes] : writes.slice(-1)

  function keyOf(): string {
    const slot = random(keys)
    const key = `${slot}.${generation.get(slot) ?? 0}`
    if ((written.get(key) ?? 0) < writesPerKey) return key
    generation.set(slot, (generation.get(slot) ?? 0) + 1)
    return keyOf()
  }

  function step(transaction: Open): void {
    const key = keyOf()
    const own = transaction.writes.get(key) ?? []
    const locking = kind === 'read-committed' || kind === 'read-uncommitted'
    const locked = locking && (locks.get(key) ?? transaction.process) !== transaction.process
    if (random(2) === 0 && !locked) {
      const value = next++
      if (locking) locks.set(key, transaction.process)
      written.set(key, (written.get(key) ?? 0) + 1)
      transaction.steps.push({ kind: 'append', key, value })
      if (kind === 'read-uncommitted') install(key, applied(latest(key), [value]))
      else transaction.writes.set(key, [...own, value])
      return
    }
    const snapshot = kind === 'snapshot' || kind === 'stale-snapshot'
    const base = snapshot ? at(key, transaction.snapshotAt) : latest(key)
    const value = own.length > 0 ? applied(base, own) : base
    transaction.steps.push({ kind: 'read', key, value })
  }

  function end(transaction: Open): void {
    const { snapshotAt, writes } = transaction
    const changed = [...writes.keys()].some((key) => {
      return (versions.get(key)?.at(-1)?.committedAt ?? 0) > snapshotAt
    })
    const aborted = (kind === 'snapshot' || kind === 'stale-snapshot') && changed
    if (!aborted) for (const [key, own] of writes) install(key, applied(latest(key), own))
    for (const [key, owner] of locks) if (owner === transaction.process) locks.delete(key)
    const unknown = random(100) < unknownPercent
    history.push({
      process: unknown ? `${transaction.process}-${now}` : transaction.process,
      status: unknown ? 'unknown' : aborted ? 'aborted' : 'committed',
      calledAt: transaction.calledAt,
      returnedAt: unknown ? Number.POSITIVE_INFINITY : now,
      steps: transaction.steps.map((one) => recorded(one, model)),
    } as Transaction)
  }

  while (history.length < transactions) {
    now += 1
    const process = random(processes)
    const current = open[process]
    if (current === undefined) {
      if (started >= transactions) continue
      started += 1
      const back = kind === 'stale-snapshot' ? random(20) : 0
      open[process] = {
        process,
        calledAt: now,
        snapshotAt: Math.max(0, now - back),
        steps: [],
        writes: new Map(),
        stepsLeft: 1 + random(stepsMax),
      }
      continue
    }
    while (current.stepsLeft > 0) {
      step(current)
      current.stepsLeft -= 1
      if (kind !== 'serializable') break
    }
    if (kind === 'serializable' && current.steps.length > 0 && current.stepsLeft === 0) {
      for (const [key, own] of current.writes) install(key, applied(latest(key), own))
      current.writes.clear()
      current.stepsLeft = -1
    } else if (current.stepsLeft <= 0) {
      end(current)
      open[process] = undefined
    }
  }
  return history.toSorted((left, right) => left.calledAt - right.calledAt)
}

function recorded(step: ListStep, model: StoreOptions['model']): unknown {
  if (model === 'list-append') return step
  if (step.kind === 'append') return { ...step, kind: 'write' }
  return { ...step, value: step.value?.at(-1) ?? null }
}
