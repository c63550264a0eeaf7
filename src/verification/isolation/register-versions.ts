/**
 * The order of a register's versions, from what the assumptions allow (see register-index.ts), and the
 * registers in which it goes in circles: of those nothing more is inferred.
 */
import type { Budget } from './budget.ts'
import { components } from './components.ts'
import type { Findings } from './findings.ts'
import { graphBuilder, ww } from './graph.ts'
import type { IsolationLevel } from './levels.ts'
import {
  type Before,
  externals,
  type Register,
  type RegisterIndex,
  type Version,
} from './register-index.ts'
import type { RegisterTransaction, Scalar } from './transaction.ts'
import { scalarText } from './words.ts'

/** Fills `before` of every register. */
export function orderVersions(
  index: RegisterIndex,
  history: readonly RegisterTransaction[],
  findings: Findings,
  weakest: readonly IsolationLevel[] | undefined,
  budget: Budget,
): void {
  if (index.assumptions.writesFollowReads !== false) {
    for (const transaction of history) {
      if (transaction.status !== 'committed') continue
      for (const [key, { read, written }] of externals(transaction)) {
        if (read === undefined || written === undefined) continue
        addBefore(index, key, read, written, 'writes follow reads')
      }
    }
  }
  if (index.assumptions.linearizableKeys === true) orderByTime(index, history, budget)
  for (const register of index.registers.values()) {
    budget.spend(register.before.size)
    const circle = circleOf(register, budget)
    if (circle === undefined) continue
    const versions = circle.slice(0, 8).map(scalarText).join(', ')
    const words = `the versions ${versions} of ${scalarText(register.key)} each came before the others`
    const transactions = circle.flatMap((version) => {
      return version === null ? [] : (register.writers.get(version) ?? [])
    })
    findings.add({ name: 'cyclic-versions', transactions, words }, weakest)
    register.before.clear()
  }
}

function addBefore(
  index: RegisterIndex,
  key: Scalar,
  earlier: Version,
  later: Version,
  because: Before['because'],
): void {
  const register = index.registers.get(key)
  const known = (version: Version): boolean =>
    index.isInitial(version) || (version !== null && !register?.repeated.has(version))
  if (register === undefined || earlier === later || !known(earlier) || !known(later)) return
  const version = index.isInitial(earlier) ? null : earlier
  const next = index.isInitial(later) ? null : later
  if (version === next) return
  const list = register.before.get(next) ?? []
  register.before.set(next, list)
  list.push({ version, because })
}

interface Touch {
  readonly calledAt: number
  readonly returnedAt: number
  readonly first: Version
  readonly last: Version
}

/** For each register alone: what had returned came before what was called later. */
function orderByTime(
  index: RegisterIndex,
  history: readonly RegisterTransaction[],
  budget: Budget,
): void {
  const touches = new Map<Scalar, Touch[]>()
  for (const transaction of history) {
    if (transaction.status !== 'committed') continue
    for (const [key, { read, written }] of externals(transaction)) {
      const first = read === undefined ? (written ?? null) : read
      const list = touches.get(key) ?? []
      touches.set(key, list)
      const { calledAt, returnedAt } = transaction
      list.push({ calledAt, returnedAt, first, last: written ?? first })
    }
  }
  for (const [key, list] of touches) {
    let latest: Touch[] = []
    const returns = list.toSorted((left, right) => left.returnedAt - right.returnedAt)
    let next = 0
    for (const touch of list.toSorted((left, right) => left.calledAt - right.calledAt)) {
      for (; (returns[next]?.returnedAt ?? Infinity) < touch.calledAt; next++) {
        const done = returns[next]
        if (done === undefined) break
        // Who had returned before `done` was called is reached through it.
        budget.spend(latest.length + 1)
        latest = latest.filter(({ returnedAt }) => returnedAt >= done.calledAt)
        latest.push(done)
      }
      budget.spend(latest.length)
      for (const done of latest) addBefore(index, key, done.last, touch.first, 'linearizable keys')
    }
  }
}

function circleOf(register: Register, budget: Budget): readonly Version[] | undefined {
  if (register.before.size === 0) return undefined
  if (register.before.has(null)) return [null, register.before.get(null)?.[0]?.version ?? null]
  const numbers = new Map<Version, number>()
  const numberOf = (version: Version): number => {
    const known = numbers.get(version)
    if (known !== undefined) return known
    numbers.set(version, numbers.size)
    return numbers.size - 1
  }
  const edges = [...register.before].flatMap(([later, list]) =>
    list.map(({ version }) => [numberOf(version), numberOf(later)] as const),
  )
  const builder = graphBuilder(numbers.size, budget)
  for (const [earlier, later] of edges) builder.link(earlier, later, ww)
  const { component, sizes } = components(builder.graph(), { mask: ww, rwAdjacent: true }, budget)
  if (sizes.length === 0) return undefined
  return [...numbers].flatMap(([version, number]) => (component[number] === 0 ? [version] : []))
}
