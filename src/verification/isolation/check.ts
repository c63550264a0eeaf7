/**
 * Judges the isolation of a recorded history, as a lawyer would: it looks for a set of transactions whose
 * observations no order of events can explain, and shows them (Elle: Kingsbury and Alvaro, VLDB 2020).
 *
 * Promised: no false alarm, under the assumptions named for registers; linear time but for the search of
 * shorter stories, which is limited; an answer within the given steps and time, `unknown` for what was not
 * decided. Not promised: `ok` says that nothing wrong can be inferred from what was observed, not that
 * nothing went wrong. Reads by predicate are outside of both models, so phantoms (G2) are not judged.
 */
import { type Budget, budget as budgetOf, budgetSpent } from './budget.ts'
import { type Anomaly, type Findings, findings as findingsOf } from './findings.ts'
import { type GraphBuilder, graphBuilder, processOrder, realtimeOrder } from './graph.ts'
import {
  type AnomalyName,
  type CycleName,
  type IsolationLevel,
  isolationLevels,
  levelsFrom,
} from './levels.ts'
import { findListAnomalies } from './list-anomalies.ts'
import { explainLists, linkLists } from './list-append.ts'
import { listIndex } from './list-index.ts'
import { findListTransactionAnomalies } from './list-transactions.ts'
import { nameCycles } from './name-cycles.ts'
import { linkProcessOrder, linkRealtimeOrder } from './orders.ts'
import { findRegisterAnomalies } from './register-anomalies.ts'
import { type RegisterAssumptions, registerIndex } from './register-index.ts'
import { orderVersions } from './register-versions.ts'
import { explainRegisters, linkRegisters } from './rw-register.ts'
import type { ListTransaction, RegisterTransaction, Transaction } from './transaction.ts'
import { type IsolationModel, problemOf } from './validate.ts'
import { nameText } from './words.ts'

export interface IsolationOptions {
  readonly model: IsolationModel
  /** The level that `verdict` is about. Default `strict-serializable`. */
  readonly level?: IsolationLevel | undefined
  /** Default true: judge real time. False if the recorded times do not come from one clock. */
  readonly realtime?: boolean | undefined
  /** Default true: judge the order within each process. */
  readonly process?: boolean | undefined
  /** Default 1_000_000_000, some tens of seconds. The verdict is `unknown` when they are spent. */
  readonly stepsMax?: number | undefined
  /** With `nowMs`: the verdict is `unknown` after so long. */
  readonly timeoutMs?: number | undefined
  readonly nowMs?: (() => number) | undefined
  /** 1 or more. Default 8: how many of each anomaly are told. */
  readonly anomaliesMax?: number | undefined
  /** Only for registers. */
  readonly assumptions?: RegisterAssumptions | undefined
}

export type IsolationVerdict = 'ok' | 'violation' | 'unknown'

/**
 *   bad-input    what was given is not a history of this model
 *   ambiguous    a value was written twice, so that reads do not name their writer
 *   empty        no two committed transactions have anything to do with each other: nothing was tried
 *   steps, time  the budget was spent
 */
export interface IsolationProblem {
  readonly code: 'bad-input' | 'ambiguous' | 'empty' | 'steps' | 'time'
  readonly words: string
}

export interface IsolationReport {
  readonly model: IsolationModel
  readonly level: IsolationLevel
  /** Of `level`. */
  readonly verdict: IsolationVerdict
  readonly levels: Readonly<Record<IsolationLevel, IsolationVerdict>>
  /** The worst first. */
  readonly anomalies: readonly Anomaly[]
  /** How often each was met, also beyond those told. Of cycles: how many different ones were looked at. */
  readonly counts: Readonly<Partial<Record<AnomalyName, number>>>
  readonly transactions: number
  /** Dependencies inferred. */
  readonly edges: number
  /** Why something is `unknown`. */
  readonly problem?: IsolationProblem
}

/** Steps to look for the worst and shortest cycle of one class: well under a second. */
const effortMax = 4_000_000

interface Judged {
  readonly problem?: IsolationProblem
  readonly edges: number
}

/** See the top of this file. Never throws for what the history holds. */
export function checkIsolation(
  history: readonly Transaction[],
  options: IsolationOptions,
): IsolationReport {
  const { model, level = 'strict-serializable', stepsMax = 1_000_000_000 } = options
  const { nowMs, timeoutMs } = options
  const budget = budgetOf({ stepsMax, nowMs, timeoutMs })
  const found = findingsOf(options.anomaliesMax ?? 8)
  let judged: Judged
  try {
    judged = judge(history, options, found, budget)
  } catch (error) {
    const code = budgetSpent(error)
    if (code === undefined) throw error
    judged = { edges: 0, problem: { code, words: `the ${code} allowed were spent` } }
  }
  const undecided = new Set(judged.problem === undefined ? notJudged(options) : isolationLevels)
  const verdictOf = (one: IsolationLevel): IsolationVerdict =>
    found.broken(one) ? 'violation' : undecided.has(one) ? 'unknown' : 'ok'
  const levels = Object.fromEntries(isolationLevels.map((one) => [one, verdictOf(one)]))
  return {
    model,
    level,
    verdict: verdictOf(level),
    levels: levels as Record<IsolationLevel, IsolationVerdict>,
    anomalies: found.anomalies(),
    counts: found.counts(),
    transactions: Array.isArray(history) ? history.length : 0,
    ...judged,
  }
}

/** Levels that speak of an order that the caller does not want judged. */
function notJudged({ realtime, process }: IsolationOptions): readonly IsolationLevel[] {
  if (process === false) return levelsFrom(['strong-session-snapshot-isolation'])
  return realtime === false ? levelsFrom(['strong-snapshot-isolation']) : []
}

function judge(
  history: readonly Transaction[],
  options: IsolationOptions,
  found: Findings,
  budget: Budget,
): Judged {
  const badInput = (words: string): Judged => ({ edges: 0, problem: { code: 'bad-input', words } })
  if (options.model !== 'list-append' && options.model !== 'rw-register') {
    return badInput(`there is no model ${String(options.model)}`)
  }
  if (!isolationLevels.includes(options.level ?? 'serializable')) {
    return badInput(`there is no level ${String(options.level)}`)
  }
  const wrong = problemOf(history, options.model, budget)
  if (wrong !== undefined) return badInput(wrong)
  const builder = graphBuilder(history.length, budget)
  const orders: number[] = []
  if (options.process !== false) {
    const overlap = linkProcessOrder(history, builder)
    if (overlap !== undefined) return badInput(overlap)
    orders.push(processOrder)
  }
  if (options.realtime !== false) {
    linkRealtimeOrder(history, builder)
    orders.push(realtimeOrder)
  }
  const inference = infer(history, options, builder, found, budget)
  const { explain, weakest, ambiguous } = inference
  if (explain !== undefined) {
    const naming = { orders, explain: withOrders(history, explain), weakest, effortMax }
    nameCycles(builder.graph(), naming, found, budget)
  }
  const edges = builder.edges
  if (ambiguous !== undefined) return { edges, problem: { code: 'ambiguous', words: ambiguous } }
  if (edges > 0) return { edges }
  return { edges, problem: { code: 'empty', words: 'no transaction depends on another' } }
}

type Explain = (source: number, target: number, kind: number) => string | undefined

interface Inference {
  /** Absent: nothing can be inferred. */
  readonly explain?: Explain
  readonly weakest: (name: CycleName) => readonly IsolationLevel[] | undefined
  readonly ambiguous: string | undefined
}

function infer(
  history: readonly Transaction[],
  { model, assumptions = {} }: IsolationOptions,
  builder: GraphBuilder,
  found: Findings,
  budget: Budget,
): Inference {
  if (model === 'list-append') {
    const lists = history as readonly ListTransaction[]
    const index = listIndex(lists, budget)
    const weakest = (): undefined => undefined
    if (index.ambiguous !== undefined) return { weakest, ambiguous: index.ambiguous }
    findListAnomalies(index, lists, found, budget)
    findListTransactionAnomalies(index, lists, found, budget)
    linkLists(index, lists, builder, budget)
    const explain: Explain = (source, target, kind) =>
      explainLists(index, lists, source, target, kind)
    return { explain, weakest, ambiguous: undefined }
  }
  const registers = history as readonly RegisterTransaction[]
  const index = registerIndex(registers, assumptions, budget)
  // An order inferred from "writes follow reads" proves nothing against read uncommitted.
  const committed: readonly IsolationLevel[] | undefined =
    assumptions.linearizableKeys === true ? undefined : ['read-committed']
  findRegisterAnomalies(index, registers, found, budget)
  orderVersions(index, registers, found, committed, budget)
  linkRegisters(index, builder)
  return {
    explain: (source, target, kind) => explainRegisters(index, registers, source, target, kind),
    weakest: (name) => (name === 'G0' ? committed : undefined),
    ambiguous: assumptions.uniqueWrites === false ? undefined : index.repeated,
  }
}

function withOrders(history: readonly Transaction[], explain: Explain): Explain {
  return (source, target, kind) => {
    const [first, second] = [nameText(source), nameText(target)]
    if (kind === processOrder) {
      return `process ${history[source]?.process} did ${first} before ${second}`
    }
    if (kind === realtimeOrder) return `${first} had returned before ${second} was called`
    return explain(source, target, kind)
  }
}
