/**
 * Isolation levels are a promise about which stories a database will never tell. Each anomaly is such a
 * story, and it breaks every level that forbids it and every level above those.
 *
 * The levels are Adya's (PL-1, PL-2, PL-2.99, PL-SI, PL-3, PL-SS), monotonic atomic view of Bailis and
 * others, read atomic of Cerone and others, and the session forms of Daudjee and Salem; which anomaly
 * breaks which level follows Elle (Kingsbury and Alvaro, VLDB 2020). Reads here name their keys, so
 * phantoms (G2 by predicate) can not be seen: on such histories repeatable read and serializable differ
 * only by what a transaction sees of itself.
 */

/** From weakest to strongest; repeatable read and snapshot isolation are not comparable. */
export const isolationLevels = [
  'read-uncommitted',
  'read-committed',
  'monotonic-atomic-view',
  'read-atomic',
  'repeatable-read',
  'snapshot-isolation',
  'serializable',
  'strong-session-snapshot-isolation',
  'strong-session-serializable',
  'strong-snapshot-isolation',
  'strict-serializable',
] as const

export type IsolationLevel = (typeof isolationLevels)[number]

/** The levels directly above: what breaks a level breaks these. */
const above: Readonly<Record<IsolationLevel, readonly IsolationLevel[]>> = {
  'read-uncommitted': ['read-committed'],
  'read-committed': ['monotonic-atomic-view'],
  'monotonic-atomic-view': ['read-atomic', 'repeatable-read'],
  'read-atomic': ['snapshot-isolation'],
  'repeatable-read': ['serializable'],
  'snapshot-isolation': ['serializable', 'strong-session-snapshot-isolation'],
  serializable: ['strong-session-serializable'],
  'strong-session-snapshot-isolation': ['strong-session-serializable', 'strong-snapshot-isolation'],
  'strong-session-serializable': ['strict-serializable'],
  'strong-snapshot-isolation': ['strict-serializable'],
  'strict-serializable': [],
}

/** The class of a cycle, by its edges; `-process` and `-realtime` say that it needs such an edge. */
export type CycleClass = 'G0' | 'G1c' | 'G-single' | 'G-nonadjacent' | 'G2-item'
export type CycleName = CycleClass | `${CycleClass}-process` | `${CycleClass}-realtime`

export type AnomalyName =
  | CycleName
  | 'G1a'
  | 'G1b'
  | 'internal'
  | 'future-read'
  | 'garbage-read'
  | 'duplicate-elements'
  | 'incompatible-order'
  | 'cyclic-versions'
  | 'dirty-update'
  | 'lost-update'
  | 'observed-transaction-vanishes'

/** The weakest levels that forbid each anomaly. */
const forbiddenBy: Readonly<Record<AnomalyName, readonly IsolationLevel[]>> = {
  'garbage-read': ['read-uncommitted'],
  'duplicate-elements': ['read-uncommitted'],
  'cyclic-versions': ['read-uncommitted'],
  G0: ['read-uncommitted'],
  G1a: ['read-committed'],
  G1b: ['read-committed'],
  'dirty-update': ['read-committed'],
  'incompatible-order': ['read-committed'],
  'future-read': ['read-committed'],
  G1c: ['read-committed'],
  'observed-transaction-vanishes': ['monotonic-atomic-view'],
  internal: ['read-atomic'],
  'lost-update': ['repeatable-read', 'snapshot-isolation'],
  'G-single': ['repeatable-read', 'snapshot-isolation'],
  'G-nonadjacent': ['repeatable-read', 'snapshot-isolation'],
  'G2-item': ['repeatable-read'],
  'G0-process': ['strong-session-snapshot-isolation'],
  'G1c-process': ['strong-session-snapshot-isolation'],
  'G-single-process': ['strong-session-snapshot-isolation'],
  'G-nonadjacent-process': ['strong-session-snapshot-isolation'],
  'G2-item-process': ['strong-session-serializable'],
  'G0-realtime': ['strong-snapshot-isolation'],
  'G1c-realtime': ['strong-snapshot-isolation'],
  'G-single-realtime': ['strong-snapshot-isolation'],
  'G-nonadjacent-realtime': ['strong-snapshot-isolation'],
  'G2-item-realtime': ['strict-serializable'],
}

/** The level itself and all that promise at least as much, weakest first. */
export function levelsFrom(levels: readonly IsolationLevel[]): readonly IsolationLevel[] {
  const reached = new Set<IsolationLevel>()
  const open = [...levels]
  for (let level = open.pop(); level !== undefined; level = open.pop()) {
    if (reached.has(level)) continue
    reached.add(level)
    open.push(...above[level])
  }
  return isolationLevels.filter((level) => reached.has(level))
}

/** Every level that a history with this anomaly does not have, weakest first. */
export function levelsBrokenBy(name: AnomalyName): readonly IsolationLevel[] {
  return levelsFrom(forbiddenBy[name])
}

/** Names in the order in which a reader should hear them: the worst first. */
export const anomalyNames: readonly AnomalyName[] = Object.keys(forbiddenBy) as AnomalyName[]
