/**
 * Finds the shortest story behind a component: breadth first from one edge that the class must have, back
 * to where it started. Among many such edges the shortest of those tried is kept; how many are tried is
 * limited, since that a level is broken is already known.
 */
import type { Budget } from './budget.ts'
import { type Graph, processOrder, realtimeOrder, rw, through, wr, ww } from './graph.ts'
import type { CycleClass } from './levels.ts'

/** What a class of cycles may and must hold. */
export interface CycleShape {
  readonly name: CycleClass
  /** The kind of the first edge: every cycle of the class has one. */
  readonly first: number
  /** Kinds of the edges after the first. */
  readonly mask: number
  /** Kinds among which its components are looked for. */
  readonly within: number
  readonly rwAdjacent: boolean
  /** The edge that closes the circle must be an rw edge: two rw edges meet at the first node. */
  readonly lastRw: boolean
  /** More than one rw edge. */
  readonly rwTwice: boolean
}

const base = { rwAdjacent: true, lastRw: false, rwTwice: false }
const flow = ww | wr

/** Worst first (Adya 1999; G-nonadjacent after Cerone and Gotsman 2016). */
export const cycleShapes: readonly CycleShape[] = [
  { ...base, name: 'G0', first: ww, mask: ww, within: ww },
  { ...base, name: 'G1c', first: wr, mask: flow, within: flow },
  { ...base, name: 'G-single', first: rw, mask: flow, within: flow | rw, rwAdjacent: false },
  {
    ...base,
    name: 'G-nonadjacent',
    first: rw,
    mask: flow | rw,
    within: flow | rw,
    rwAdjacent: false,
    rwTwice: true,
  },
  { ...base, name: 'G2-item', first: rw, mask: flow | rw, within: flow | rw, lastRw: true },
]

/** A hop of a cycle, between transactions of the searched graph. */
export interface Hop {
  readonly source: number
  readonly target: number
  readonly kind: number
}

/** What a walk has done so far, as bits: reached here by rw; has had its second rw; has had an order edge. */
const cameByRw = 1
const hadRwTwice = 2
const hadOrder = 4
const flagsCount = 8

/** May the walk use this node, reached by an rw edge or otherwise? */
export type Inside = (node: number, cameByRw: boolean) => boolean

export interface CycleSearch {
  /**
   * The shortest cycle found that starts with an edge of node `start`, shorter than `hopsMax`.
   * `order` is the order edge the cycle must have, or 0.
   */
  from(
    start: number,
    shape: CycleShape,
    order: number,
    inside: Inside,
    hopsMax: number,
  ): readonly Hop[] | undefined
}

/** Scratch space is made once and shared by all searches over the graph. */
export function cycleSearch(graph: Graph, budget: Budget): CycleSearch {
  const states = graph.nodes * flagsCount
  const metIn = new Int32Array(states)
  const parent = new Int32Array(states)
  const parentKind = new Uint8Array(states)
  let round = 0

  const flagsFirst = (kind: number, shape: CycleShape): number =>
    kind !== shape.first ? -1 : kind === rw ? cameByRw : 0

  /** The flags after an edge, or -1 if the shape does not allow it there. */
  function flagsAfter(flags: number, kind: number, shape: CycleShape, order: number): number {
    if (kind === through) return flags
    if ((kind & (shape.mask | order)) === 0) return -1
    if (kind === rw) {
      if (!shape.rwAdjacent && (flags & cameByRw) !== 0) return -1
      return flags | cameByRw | hadRwTwice
    }
    return (flags & ~cameByRw) | (kind === order ? hadOrder : 0)
  }

  const closes = (flags: number, shape: CycleShape, order: number): boolean =>
    (order === 0 || (flags & hadOrder) !== 0) &&
    (!shape.lastRw || (flags & cameByRw) !== 0) &&
    (shape.rwAdjacent || (flags & cameByRw) === 0) &&
    (!shape.rwTwice || (flags & hadRwTwice) !== 0)

  /** Hops from transaction to transaction; those through hubs count as the edge that entered. */
  function pathTo(last: number, start: number): readonly Hop[] {
    const states: number[] = []
    for (let state = last; state >= 0; state = parent[state] ?? -1) states.push(state)
    const hops: Hop[] = []
    let source = start
    let kind = 0
    for (const state of states.toReversed()) {
      if (kind === 0) kind = parentKind[state] ?? 0
      const node = Math.floor(state / flagsCount)
      if (node >= graph.transactions) continue
      hops.push({ source, target: node, kind })
      source = node
      kind = 0
    }
    return hops
  }

  /** One breadth-first search; `level` holds the states at the distance being expanded. */
  function search(
    start: number,
    shape: CycleShape,
    order: number,
    inside: Inside,
    hopsMax: number,
  ): number {
    let level: number[] = []
    let next: number[] = []
    let found = -1

    function enter(state: number, from: number, kind: number): void {
      if (metIn[state] === round || found >= 0) return
      metIn[state] = round
      parent[state] = from
      parentKind[state] = kind
      if (Math.floor(state / flagsCount) === start) found = state
      // Out of a hub is free: what it leads to is as far away as the hub itself.
      else (kind === through ? level : next).push(state)
    }

    function expand(node: number, flags: number, from: number): void {
      for (let edge = graph.offsets[node] ?? 0; edge < (graph.offsets[node + 1] ?? 0); edge++) {
        budget.spend(1)
        const kind = graph.kinds[edge] ?? 0
        const target = graph.targets[edge] ?? 0
        const after = from < 0 ? flagsFirst(kind, shape) : flagsAfter(flags, kind, shape, order)
        if (after < 0 || !inside(target, (after & cameByRw) !== 0)) continue
        if (target === start && !closes(after, shape, order)) continue
        enter(target * flagsCount + after, from, kind)
      }
    }

    expand(start, 0, -1)
    for (let hops = 1; next.length > 0 && hops < hopsMax && found < 0; hops++) {
      level = next
      next = []
      for (let index = 0; index < level.length && found < 0; index++) {
        const state = level[index] ?? 0
        expand(Math.floor(state / flagsCount), state % flagsCount, state)
      }
    }
    return found
  }

  return {
    from(start, shape, order, inside, hopsMax) {
      round += 1
      const found = search(start, shape, order, inside, hopsMax)
      return found < 0 ? undefined : pathTo(found, start)
    },
  }
}

const severity = ['G0', 'G1c', 'G-single', 'G-nonadjacent', 'G2-item'] as const

/** The class of a cycle by the kinds of its edges, and what orders it needs. */
export function classOf(kinds: readonly number[]): `${CycleClass}${'' | '-process' | '-realtime'}` {
  const rws = kinds.filter((kind) => kind === rw).length
  const adjacent = kinds.some(
    (kind, index) => kind === rw && kinds[(index + 1) % kinds.length] === rw,
  )
  const [none, flowing, one, apart, many] = severity
  const data =
    rws === 0 ? (kinds.includes(wr) ? flowing : none) : rws === 1 ? one : adjacent ? many : apart
  if (kinds.includes(realtimeOrder)) return `${data}-realtime`
  return kinds.includes(processOrder) ? `${data}-process` : data
}
