/**
 * A register shows only its last value, so the order of its versions must be inferred, and each inference
 * rests on an assumption that can be switched off:
 *
 * - the initial state comes before every write;
 * - a transaction that reads a version and then writes the register made the next version after it
 *   (writes follow reads). A history in which this fails has a cycle of information flow, so from read
 *   committed on the assumption costs nothing; only of read uncommitted it proves nothing;
 * - a value is written once, so that a read names its writer;
 * - linearizable keys: each register alone respects real time. False for many correct databases.
 */
import type { Budget } from './budget.ts'
import type { RegisterTransaction, Scalar } from './transaction.ts'

export interface RegisterAssumptions {
  /** What a register holds before any write, besides `null`. */
  readonly initialValue?: Scalar | undefined
  /** Default true: unwritten registers come before all writes. */
  readonly initialState?: boolean | undefined
  /** Default true. */
  readonly writesFollowReads?: boolean | undefined
  /**
   * Default true: a value written twice to one register leaves `unknown` what else is not broken. False:
   * such values are left out of the inference, and what is found without them is the verdict.
   */
  readonly uniqueWrites?: boolean | undefined
  /** Default false. */
  readonly linearizableKeys?: boolean | undefined
}

export type Version = Scalar | null

/** A version that came before another, and how that is known. */
export interface Before {
  readonly version: Version
  readonly because: 'writes follow reads' | 'linearizable keys'
}

export interface Register {
  readonly key: Scalar
  /** Who wrote each value last in its transaction; only values that name their writer. */
  readonly writers: Map<Scalar, number>
  /** Who wrote each value and then wrote over it. */
  readonly intermediate: Map<Scalar, number>
  /** Who first wrote each value, in whatever way it ended. */
  readonly attempts: Map<Scalar, number>
  /** Values written by more than one transaction. */
  readonly repeated: Set<Scalar>
  /** Committed transactions that read a version before they wrote the register themselves. */
  readonly readers: Map<Version, number[]>
  /** Versions known to come right before a version; the initial state is not listed. */
  readonly before: Map<Version, Before[]>
}

export interface RegisterIndex {
  readonly registers: ReadonlyMap<Scalar, Register>
  readonly assumptions: RegisterAssumptions
  isInitial(version: Version): boolean
  /** A value written twice, in words. */
  readonly repeated: string | undefined
}

/** What one transaction shows of one register from the outside. */
export interface External {
  /** Absent: it wrote before it read. */
  readonly read?: Version
  readonly written?: Scalar
}

export function externals({ steps }: RegisterTransaction): ReadonlyMap<Scalar, External> {
  const seen = new Map<Scalar, External>()
  for (const step of steps) {
    const known = seen.get(step.key)
    if (step.kind === 'write') seen.set(step.key, { ...known, written: step.value })
    else if (known === undefined) seen.set(step.key, { read: step.value })
  }
  return seen
}

export function registerIndex(
  history: readonly RegisterTransaction[],
  assumptions: RegisterAssumptions,
  budget: Budget,
): RegisterIndex {
  const registers = new Map<Scalar, Register>()
  const isInitial = (version: Version): boolean =>
    version === null || version === assumptions.initialValue
  const registerOf = (key: Scalar): Register => {
    const known = registers.get(key)
    if (known !== undefined) return known
    const created: Register = {
      key,
      writers: new Map(),
      intermediate: new Map(),
      attempts: new Map(),
      repeated: new Set(),
      readers: new Map(),
      before: new Map(),
    }
    registers.set(key, created)
    return created
  }
  for (const [place, transaction] of history.entries()) {
    budget.spend(transaction.steps.length)
    indexWrites(place, transaction, registerOf)
    for (const [key, { read, written }] of externals(transaction)) {
      const register = registerOf(key)
      if (written !== undefined && transaction.status !== 'aborted') {
        register.writers.set(written, place)
        register.intermediate.delete(written)
      }
      if (read === undefined || transaction.status !== 'committed') continue
      const version = isInitial(read) ? null : read
      const readers = register.readers.get(version) ?? []
      register.readers.set(version, readers)
      readers.push(place)
    }
  }
  let repeated: string | undefined
  for (const register of registers.values()) {
    if (assumptions.initialValue !== undefined) register.writers.delete(assumptions.initialValue)
    for (const value of register.repeated) {
      register.writers.delete(value)
      register.intermediate.delete(value)
      repeated ??= `${String(value)} was written to ${String(register.key)} by two transactions`
    }
  }
  return { registers, assumptions, isInitial, repeated }
}

function indexWrites(
  place: number,
  { steps }: RegisterTransaction,
  registerOf: (key: Scalar) => Register,
): void {
  for (const step of steps) {
    const register = registerOf(step.key)
    if (step.kind !== 'write') continue
    const other = register.attempts.get(step.value)
    if (other === undefined) register.attempts.set(step.value, place)
    else if (other !== place) register.repeated.add(step.value)
    register.intermediate.set(step.value, place)
  }
}
