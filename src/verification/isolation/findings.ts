/**
 * What a judge has found so far: the first few of each anomaly, with their words, and how many there were.
 * A broken database shows the same anomaly thousands of times; the tenth teaches nothing new.
 */
import {
  type AnomalyName,
  anomalyNames,
  type IsolationLevel,
  levelsBrokenBy,
  levelsFrom,
} from './levels.ts'

/** One edge of a cycle: why `source` came before `target`. */
export interface CycleEdge {
  readonly source: number
  readonly target: number
  readonly kind: 'ww' | 'wr' | 'rw' | 'process' | 'realtime'
  readonly words: string
}

export interface Anomaly {
  readonly name: AnomalyName
  /** Every level that this anomaly rules out, weakest first. */
  readonly breaks: readonly IsolationLevel[]
  /** Places in the history; of a cycle in its order, the first not repeated. */
  readonly transactions: readonly number[]
  /** Present for cycles. */
  readonly cycle?: readonly CycleEdge[]
  readonly words: string
}

export interface Findings {
  /** `weakest` replaces the levels that usually forbid it, when an assumption weakens the claim. */
  add(found: Omit<Anomaly, 'breaks'>, weakest?: readonly IsolationLevel[] | undefined): void
  broken(level: IsolationLevel): boolean
  /** Worst first. */
  anomalies(): readonly Anomaly[]
  /** How often each was met, also beyond those kept. */
  counts(): Readonly<Partial<Record<AnomalyName, number>>>
}

/** Keeps at most `anomaliesMax` of each name. */
export function findings(anomaliesMax: number): Findings {
  const kept = new Map<AnomalyName, Anomaly[]>()
  const counted = new Map<AnomalyName, number>()
  const brokenLevels = new Set<IsolationLevel>()
  const seen = new Set<string>()
  return {
    add(found, weakest) {
      const identity = [found.name, ...found.transactions.toSorted((a, b) => a - b)].join(' ')
      if (found.cycle !== undefined && seen.has(identity)) return
      if (found.cycle !== undefined) seen.add(identity)
      const breaks = weakest === undefined ? levelsBrokenBy(found.name) : levelsFrom(weakest)
      for (const level of breaks) brokenLevels.add(level)
      const same = kept.get(found.name) ?? []
      kept.set(found.name, same)
      counted.set(found.name, (counted.get(found.name) ?? 0) + 1)
      if (same.length < anomaliesMax) same.push({ ...found, breaks })
    },
    broken: (level) => brokenLevels.has(level),
    anomalies: () => anomalyNames.flatMap((name) => kept.get(name) ?? []),
    counts: () => Object.fromEntries(counted),
  }
}
