/**
 * What registers show without any cycle. The same stories as for lists, told by single values: a value
 * that nobody wrote, that was taken back or written over before the end, a transaction that does not see
 * itself, two that updated the same version, one whose effects come and go.
 */
import type { Budget } from './budget.ts'
import type { Findings } from './findings.ts'
import { externals, type Register, type RegisterIndex, type Version } from './register-index.ts'
import type { ReadRegisterStep, RegisterTransaction, Scalar } from './transaction.ts'
import { nameText, scalarText } from './words.ts'

export function findRegisterAnomalies(
  index: RegisterIndex,
  history: readonly RegisterTransaction[],
  findings: Findings,
  budget: Budget,
): void {
  const updates = new Map<Scalar, Map<Version, number[]>>()
  for (const [place, transaction] of history.entries()) {
    if (transaction.status !== 'committed') continue
    budget.spend(transaction.steps.length)
    for (const step of transaction.steps) {
      if (step.kind === 'read') checkRead(index, place, step, history, findings)
    }
    findInternal(place, transaction, findings)
    findVanished(index, place, transaction, history, findings, budget)
    for (const [key, { read, written }] of externals(transaction)) {
      if (read === undefined || written === undefined) continue
      const versions = updates.get(key) ?? new Map<Version, number[]>()
      updates.set(key, versions)
      const version = index.isInitial(read) ? null : read
      versions.set(version, [...(versions.get(version) ?? []), place])
    }
  }
  for (const [key, versions] of updates) {
    for (const [version, transactions] of versions) {
      if (version !== null && index.registers.get(key)?.repeated.has(version)) continue
      if (transactions.length < 2) continue
      const [first, second] = transactions.map(nameText)
      const what = `${first} and ${second} both read ${scalarText(key)} = ${scalarText(version)}`
      const words = `${what} and wrote over it: one of the two updates is lost`
      findings.add({ name: 'lost-update', transactions, words })
    }
  }
}

function checkRead(
  index: RegisterIndex,
  reader: number,
  { key, value }: ReadRegisterStep,
  history: readonly RegisterTransaction[],
  findings: Findings,
): void {
  const register = index.registers.get(key)
  if (value === null || index.isInitial(value) || register === undefined) return
  const what = `${nameText(reader)} read ${scalarText(key)} = ${scalarText(value)}`
  const attempt = register.attempts.get(value)
  if (attempt === undefined) {
    const words = `${what}, but no transaction of the history wrote that`
    findings.add({ name: 'garbage-read', transactions: [reader], words })
    return
  }
  if (register.repeated.has(value)) return
  if (history[attempt]?.status === 'aborted') {
    const words = `${what}, but ${nameText(attempt)}, which wrote that, had aborted`
    findings.add({ name: 'G1a', transactions: [reader, attempt], words })
    return
  }
  if (attempt === reader || register.intermediate.get(value) === undefined) return
  const words = `${what}, which ${nameText(attempt)} itself wrote over before it ended`
  findings.add({ name: 'G1b', transactions: [reader, attempt], words })
}

function findInternal(place: number, { steps }: RegisterTransaction, findings: Findings): void {
  const expected = new Map<Scalar, Version>()
  const read = new Map<Scalar, Set<Version>>()
  for (const { kind, key, value } of steps) {
    const name = scalarText(key)
    if (kind === 'write') {
      expected.set(key, value)
      if (!read.get(key)?.has(value)) continue
      const words = `${nameText(place)} read ${name} = ${scalarText(value)} before it wrote that itself`
      findings.add({ name: 'future-read', transactions: [place], words })
      return
    }
    const wanted = expected.get(key)
    if (wanted !== undefined && wanted !== value) {
      const what = `${nameText(place)} read ${name} = ${scalarText(value)}`
      const words = `${what}, but after its own earlier steps it should have been ${scalarText(wanted)}`
      findings.add({ name: 'internal', transactions: [place], words })
      return
    }
    // A value it already wrote is no sign of the future when it writes it once more.
    if (wanted === undefined) read.set(key, (read.get(key) ?? new Set()).add(value))
    expected.set(key, value)
  }
}

/** Having seen one write of a transaction, it later reads a register as it was before another. */
function findVanished(
  index: RegisterIndex,
  place: number,
  transaction: RegisterTransaction,
  history: readonly RegisterTransaction[],
  findings: Findings,
  budget: Budget,
): void {
  const seen = new Map<number, ReadRegisterStep>()
  const externalReads = externals(transaction)
  const met = new Set<Scalar>()
  for (const step of transaction.steps) {
    const register = index.registers.get(step.key)
    const isExternal = !met.has(step.key) && externalReads.get(step.key)?.read !== undefined
    met.add(step.key)
    if (step.kind !== 'read' || register === undefined || !isExternal) continue
    for (const [writer, shown] of seen) {
      budget.spend(1)
      const own =
        history[writer] === undefined ? undefined : externals(history[writer]).get(step.key)
      if (own?.written === undefined || !isBefore(index, register, step.value, own)) continue
      const saw = `${nameText(place)} saw ${scalarText(shown.key)} = ${scalarText(shown.value)}`
      const words =
        `${saw} of ${nameText(writer)}, and later read ${scalarText(step.key)} = ` +
        `${scalarText(step.value)}, as it was before ${nameText(writer)} wrote it`
      const transactions = [place, writer]
      findings.add({ name: 'observed-transaction-vanishes', transactions, words })
      return
    }
    const writer = step.value === null ? undefined : register.writers.get(step.value)
    if (writer !== undefined && writer !== place) seen.set(writer, step)
  }
}

/** Is this surely the state that `own` wrote over? */
function isBefore(
  index: RegisterIndex,
  register: Register,
  version: Version,
  own: { readonly read?: Version; readonly written?: Scalar },
): boolean {
  if (index.isInitial(version)) return index.assumptions.initialState !== false
  if (index.assumptions.writesFollowReads === false || own.read === undefined) return false
  return version !== null && own.read === version && !register.repeated.has(version)
}
