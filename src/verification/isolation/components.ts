/**
 * Where a graph goes round in circles. A strongly connected component of more than one node holds a cycle,
 * and every cycle lies within one: so whether a level is broken is known in linear time, long before the
 * shortest cycle is found. The algorithm is Tarjan's (SIAM J. Comput. 1972), with its own stack instead of
 * recursion, because a history may be one component of a million transactions.
 *
 * Snapshot isolation allows cycles in which two anti-dependencies (rw) follow each other. For it each node
 * is taken twice, as reached by an rw edge and as reached otherwise, and out of the first no rw edge leads:
 * what remains in circles is forbidden (Cerone and Gotsman, PODC 2016).
 */
import type { Budget } from './budget.ts'
import { type Graph, rw, through } from './graph.ts'

export interface Walk {
  /** The kinds of edges that may be walked. */
  readonly mask: number
  /** May one rw edge follow another? If not, a state is twice the node, plus one if an rw led there. */
  readonly rwAdjacent: boolean
}

export interface Components {
  /** Of each state, the number of its component, or -1 if it is on no cycle. */
  readonly component: Int32Array
  /** States in each component: at least two. */
  readonly sizes: readonly number[]
}

/** The component of each state, among those with a cycle. Linear in nodes and edges. */
export function components(graph: Graph, walk: Walk, budget: Budget): Components {
  const width = walk.rwAdjacent ? 1 : 2
  const states = graph.nodes * width
  const component = new Int32Array(states).fill(-1)
  const sizes: number[] = []
  /** 0: not yet met. */
  const order = new Int32Array(states)
  const low = new Int32Array(states)
  const nextEdge = new Int32Array(states)
  const onStack = new Uint8Array(states)
  const stack: number[] = []
  const path: number[] = []
  let met = 0

  function enter(state: number): void {
    met += 1
    order[state] = met
    low[state] = met
    onStack[state] = 1
    nextEdge[state] = graph.offsets[Math.floor(state / width)] ?? 0
    stack.push(state)
    path.push(state)
  }

  function leave(state: number): void {
    path.pop()
    const parent = path[path.length - 1]
    if (parent !== undefined) low[parent] = Math.min(low[parent] ?? 0, low[state] ?? 0)
    if (low[state] !== order[state]) return
    const first = stack.lastIndexOf(state)
    const size = stack.length - first
    for (let index = first; index < stack.length; index++) {
      const member = stack[index] ?? 0
      onStack[member] = 0
      if (size > 1) component[member] = sizes.length
    }
    stack.length = first
    if (size > 1) sizes.push(size)
  }

  function follow(root: number): void {
    enter(root)
    for (let state = root; path.length > 0; state = path[path.length - 1] ?? 0) {
      const node = Math.floor(state / width)
      const edge = nextEdge[state] ?? 0
      if (edge >= (graph.offsets[node + 1] ?? 0)) {
        leave(state)
        continue
      }
      nextEdge[state] = edge + 1
      const target = stateAfter(graph, walk, state, edge)
      if (target < 0) continue
      if (order[target] === 0) enter(target)
      else if (onStack[target] === 1) {
        low[state] = Math.min(low[state] ?? 0, order[target] ?? 0)
      }
    }
  }

  budget.spend(graph.nodes + graph.edges)
  for (let root = 0; root < states; root++) if (order[root] === 0) follow(root)
  return { component, sizes }
}

/** The state that an edge leads to, or -1 if it may not be walked. */
export function stateAfter(graph: Graph, walk: Walk, state: number, edge: number): number {
  const kind = graph.kinds[edge] ?? 0
  const target = graph.targets[edge] ?? 0
  if (walk.rwAdjacent) return kind === through || (kind & walk.mask) !== 0 ? target : -1
  if (kind === through) return target * 2 + (state & 1)
  if ((kind & walk.mask) === 0) return -1
  if (kind !== rw) return target * 2
  return (state & 1) === 1 ? -1 : target * 2 + 1
}
