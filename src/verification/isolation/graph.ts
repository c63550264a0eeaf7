/**
 * Who must have come before whom. Nodes are transactions; an edge says why one precedes the other.
 *
 * Some facts join every one of many transactions with every one of many others: all that read the empty
 * list came before all that appended to it. Written out, that is a square. So a fact may pass through
 * *hubs*, nodes that are no transaction: many edges in, many edges out, and the graph stays linear in the
 * history. A path through hubs counts as the one edge by which it entered.
 */
import type { Budget } from './budget.ts'

/** Kinds of edges, as bits of a mask. */
export const ww = 1
export const wr = 2
export const rw = 4
export const processOrder = 8
export const realtimeOrder = 16
/** Out of a hub: goes on with the kind by which the hub was entered. Never masked out. */
export const through = 32

export interface Graph {
  /** Nodes below this are transactions, by their place in the history; the others are hubs. */
  readonly transactions: number
  readonly nodes: number
  readonly edges: number
  /** Edges of node n are those from `offsets[n]` to before `offsets[n + 1]`. */
  readonly offsets: Int32Array
  readonly targets: Int32Array
  readonly kinds: Uint8Array
}

export interface GraphBuilder {
  /** Says that one came before the other. An edge from a node to itself says nothing and is left out. */
  link(source: number, target: number, kind: number): void
  hub(): number
  /** Every source came before every target but itself. */
  linkAll(sources: readonly number[], targets: readonly number[], kind: number): void
  readonly edges: number
  graph(): Graph
}

/** An empty graph of so many transactions. Every edge costs a step of the budget. */
export function graphBuilder(transactions: number, budget: Budget): GraphBuilder {
  let capacity = 1024
  let sources = new Int32Array(capacity)
  let targets = new Int32Array(capacity)
  let kinds = new Uint8Array(capacity)
  let edges = 0
  let nodes = transactions

  function grow(): void {
    capacity *= 2
    const wider = (old: Int32Array): Int32Array<ArrayBuffer> => {
      const next = new Int32Array(capacity)
      next.set(old)
      return next
    }
    sources = wider(sources)
    targets = wider(targets)
    const nextKinds = new Uint8Array(capacity)
    nextKinds.set(kinds)
    kinds = nextKinds
  }

  function link(source: number, target: number, kind: number): void {
    if (source === target) return
    budget.spend(1)
    if (edges === capacity) grow()
    sources[edges] = source
    targets[edges] = target
    kinds[edges] = kind
    edges += 1
  }

  /** `first → targets[0]`, `first → next → targets[1]` and so on; returns the hubs, in that order. */
  function chain(ends: readonly number[]): readonly number[] {
    const hubs = ends.map(() => nodes++)
    ends.forEach((end, index) => {
      const hub = hubs[index] ?? 0
      link(hub, end, through)
      if (index + 1 < hubs.length) link(hub, hubs[index + 1] ?? 0, through)
    })
    return hubs
  }

  return {
    link,
    hub: () => nodes++,
    linkAll(sourcesGiven, targetsGiven, kind) {
      const from = [...new Set(sourcesGiven)]
      const to = [...new Set(targetsGiven)]
      if (from.length * to.length <= 3 * (from.length + to.length) + 16) {
        for (const source of from) for (const target of to) link(source, target, kind)
        return
      }
      // Who is on both sides must not reach itself: it enters the chain after its own place, and a
      // second chain, which runs the other way, before it.
      const place = new Map(to.map((target, index) => [target, index]))
      const forth = chain(to)
      const back = from.some((source) => place.has(source)) ? chain([...to].reverse()) : []
      for (const source of from) {
        const own = place.get(source)
        const later = forth[own === undefined ? 0 : own + 1]
        const earlier = own === undefined ? undefined : back[to.length - own]
        if (later !== undefined) link(source, later, kind)
        if (earlier !== undefined) link(source, earlier, kind)
      }
    },
    get edges() {
      return edges
    },
    graph: () => compact(transactions, nodes, edges, sources, targets, kinds),
  }
}

/** Sorts the edges by their source, by counting. */
function compact(
  transactions: number,
  nodes: number,
  edges: number,
  sources: Int32Array,
  targets: Int32Array,
  kinds: Uint8Array,
): Graph {
  const offsets = new Int32Array(nodes + 1)
  for (let edge = 0; edge < edges; edge++) {
    const next = (sources[edge] ?? 0) + 1
    offsets[next] = (offsets[next] ?? 0) + 1
  }
  for (let node = 0; node < nodes; node++) {
    offsets[node + 1] = (offsets[node + 1] ?? 0) + (offsets[node] ?? 0)
  }
  const place = offsets.slice()
  const sortedTargets = new Int32Array(edges)
  const sortedKinds = new Uint8Array(edges)
  for (let edge = 0; edge < edges; edge++) {
    const source = sources[edge] ?? 0
    const at = place[source] ?? 0
    place[source] = at + 1
    sortedTargets[at] = targets[edge] ?? 0
    sortedKinds[at] = kinds[edge] ?? 0
  }
  return { transactions, nodes, edges, offsets, targets: sortedTargets, kinds: sortedKinds }
}

export interface Part {
  readonly graph: Graph
  /** The node of the whole graph that node n of the part stands for. */
  readonly origin: Int32Array
}

/**
 * The part of a graph that lies within components: nodes with a component of at least 0, and the edges
 * that stay in one. Transactions keep coming before hubs.
 */
export function partWithin(graph: Graph, component: Int32Array, budget: Budget): Part {
  const origin: number[] = []
  const renumbered = new Int32Array(graph.nodes).fill(-1)
  let transactions = 0
  for (let node = 0; node < graph.nodes; node++) {
    if ((component[node] ?? -1) < 0) continue
    if (node < graph.transactions) transactions += 1
    renumbered[node] = origin.length
    origin.push(node)
  }
  const sources: number[] = []
  const targets: number[] = []
  const kinds: number[] = []
  for (const node of origin) {
    for (let edge = graph.offsets[node] ?? 0; edge < (graph.offsets[node + 1] ?? 0); edge++) {
      const target = graph.targets[edge] ?? 0
      if (component[target] !== component[node]) continue
      budget.spend(1)
      sources.push(renumbered[node] ?? 0)
      targets.push(renumbered[target] ?? 0)
      kinds.push(graph.kinds[edge] ?? 0)
    }
  }
  const [from, to] = [Int32Array.from(sources), Int32Array.from(targets)]
  const part = compact(transactions, origin.length, from.length, from, to, Uint8Array.from(kinds))
  return { graph: part, origin: Int32Array.from(origin) }
}
