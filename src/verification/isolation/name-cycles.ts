/**
 * Which levels do the circles of a graph break, and by which story? Two questions, asked in this order.
 * That a circle of some class exists is known from its components, in linear time, and one cycle is then
 * always at hand. The worst name and the shortest cycle need a search, which is given a limited effort: a
 * very tangled history may be told with a longer story than necessary, never with a wrong verdict.
 */
import { type Budget, type BudgetSpent, budgetSpent } from './budget.ts'
import { type Components, components } from './components.ts'
import {
  type CycleSearch,
  type CycleShape,
  classOf,
  cycleSearch,
  cycleShapes,
  type Hop,
  type Inside,
} from './cycles.ts'
import type { CycleEdge, Findings } from './findings.ts'
import { type Graph, partWithin, processOrder, realtimeOrder, rw, wr, ww } from './graph.ts'
import { type CycleName, type IsolationLevel, levelsBrokenBy } from './levels.ts'
import { nameText } from './words.ts'

export interface NamingOptions {
  /** Order edges to consider besides those of data: `processOrder`, `realtimeOrder`. */
  readonly orders: readonly number[]
  /** Why one came before the other, if an edge of this kind joins them. */
  readonly explain: (source: number, target: number, kind: number) => string | undefined
  /** Levels broken by a cycle of this name, where an assumption weakens what it shows. */
  readonly weakest: (name: CycleName) => readonly IsolationLevel[] | undefined
  /** Steps to look for the worst and shortest cycles of one class. */
  readonly effortMax: number
}

/** Components looked at for each class, the smallest first: they give the shortest stories. */
const componentsMax = 16

const suffixes: ReadonlyMap<number, '' | '-process' | '-realtime'> = new Map([
  [0, ''],
  [processOrder, '-process'],
  [realtimeOrder, '-realtime'],
])

export function nameCycles(
  whole: Graph,
  options: NamingOptions,
  findings: Findings,
  budget: Budget,
): void {
  const everything = options.orders.reduce((mask, order) => mask | order, ww | wr | rw)
  const circles = components(whole, { mask: everything, rwAdjacent: true }, budget)
  if (circles.sizes.length === 0) return
  const { graph, origin } = partWithin(whole, circles.component, budget)
  const effort = limitedEffort(budget, options.effortMax)
  const certain = cycleSearch(graph, budget)
  const thorough = cycleSearch(graph, effort)
  for (const order of [0, ...options.orders]) {
    for (const shape of cycleShapes) {
      const name: CycleName = `${shape.name}${suffixes.get(order) ?? ''}`
      const broken = (options.weakest(name) ?? levelsBrokenBy(name)).every(findings.broken)
      if (order !== 0 && broken) continue
      const walk = { mask: shape.within | order, rwAdjacent: shape.rwAdjacent }
      const found = components(graph, walk, budget)
      if (found.sizes.length === 0) continue
      const report = (hops: readonly Hop[]): void => {
        for (const cycle of simpleCycles(hops)) addCycle(cycle, origin, options, findings)
      }
      effort.refill()
      searchComponents({ graph, shape, order, found, certain, thorough, effort, report })
    }
  }
}

interface ClassSearch {
  readonly graph: Graph
  readonly shape: CycleShape
  readonly order: number
  readonly found: Components
  /** Ends with an answer; its steps are those of the whole judgement. */
  readonly certain: CycleSearch
  /** Ends when the effort does. */
  readonly thorough: CycleSearch
  readonly effort: Effort
  readonly report: (hops: readonly Hop[]) => void
}

function searchComponents(search: ClassSearch): void {
  const { graph, shape, found, effort } = search
  const width = shape.rwAdjacent ? 1 : 2
  for (const { component, nodes } of smallest(graph, found, width)) {
    const inside = (node: number, cameByRw: boolean): boolean =>
      found.component[width === 1 ? node : node * 2 + (cameByRw ? 1 : 0)] === component
    const any = anyCycle(search, nodes, inside)
    if (any !== undefined) search.report(any)
    if (effort.left < 0) continue
    try {
      const best = shortest(search, nodes, inside)
      if (best !== undefined) search.report(best)
    } catch (error) {
      if (budgetSpent(error) === undefined || effort.left >= 0) throw error
    }
  }
}

/** The transactions of each of the smallest components. */
function smallest(
  graph: Graph,
  found: Components,
  width: number,
): readonly { readonly component: number; readonly nodes: readonly number[] }[] {
  const chosen = [...found.sizes.keys()]
    .toSorted((left, right) => (found.sizes[left] ?? 0) - (found.sizes[right] ?? 0))
    .slice(0, componentsMax)
  const nodesOf = new Map(chosen.map((component) => [component, new Set<number>()]))
  for (let state = 0; state < graph.transactions * width; state++) {
    nodesOf.get(found.component[state] ?? -1)?.add(Math.floor(state / width))
  }
  return chosen.map((component) => ({ component, nodes: [...(nodesOf.get(component) ?? [])] }))
}

/** Some cycle through the component, of whatever class it turns out to be: one search is enough. */
function anyCycle(
  { certain, shape, order }: ClassSearch,
  nodes: readonly number[],
  inside: Inside,
): readonly Hop[] | undefined {
  const loose = { ...shape, mask: shape.within | order, lastRw: false, rwTwice: false }
  for (const start of nodes) {
    const hops = certain.from(start, loose, 0, inside, Number.POSITIVE_INFINITY)
    if (hops !== undefined) return hops
  }
  return undefined
}

function shortest(
  { thorough, shape, order }: ClassSearch,
  nodes: readonly number[],
  inside: Inside,
): readonly Hop[] | undefined {
  let best: readonly Hop[] | undefined
  for (const start of nodes) {
    const hopsMax = best?.length ?? Number.POSITIVE_INFINITY
    best = thorough.from(start, shape, order, inside, hopsMax) ?? best
    if (best?.length === 2) break
  }
  return best
}

interface Effort extends Budget {
  refill(): void
}

/** A budget inside the whole one, for one class of cycles at a time. */
function limitedEffort(budget: Budget, stepsMax: number): Effort {
  let left = stepsMax
  return {
    spend(steps) {
      budget.spend(steps)
      left -= steps
      if (left < 0) throw { spent: 'steps' } satisfies BudgetSpent
    },
    get left() {
      return left
    },
    refill() {
      left = stepsMax
    },
  }
}

/** A closed walk taken apart where it meets itself. */
function simpleCycles(hops: readonly Hop[]): readonly (readonly Hop[])[] {
  const cycles: (readonly Hop[])[] = []
  const open: Hop[] = []
  const places = new Map<number, number>()
  for (const hop of hops) {
    places.set(hop.source, open.length)
    open.push(hop)
    const start = places.get(hop.target)
    if (start === undefined) continue
    const cycle = open.splice(start)
    for (const { source } of cycle) places.delete(source)
    cycles.push(cycle)
  }
  return cycles
}

const kindNames: ReadonlyMap<number, CycleEdge['kind']> = new Map([
  [ww, 'ww'],
  [wr, 'wr'],
  [rw, 'rw'],
  [processOrder, 'process'],
  [realtimeOrder, 'realtime'],
])

/** Says each hop by the strongest dependency that joins its ends, and names the whole by what is left. */
function addCycle(
  cycle: readonly Hop[],
  origin: Int32Array,
  { explain, weakest }: NamingOptions,
  findings: Findings,
): void {
  const kinds: number[] = []
  const edges = cycle.map((hop): CycleEdge => {
    const [source, target] = [origin[hop.source] ?? 0, origin[hop.target] ?? 0]
    for (const kind of [ww, wr, hop.kind]) {
      const words = explain(source, target, kind)
      if (words === undefined) continue
      kinds.push(kind)
      return { source, target, kind: kindNames.get(kind) ?? 'ww', words }
    }
    kinds.push(hop.kind)
    return { source, target, kind: kindNames.get(hop.kind) ?? 'ww', words: '' }
  })
  const name = classOf(kinds)
  const transactions = edges.map(({ source }) => source)
  findings.add({ name, transactions, cycle: edges, words: cycleText(edges) }, weakest(name))
}

/** Edges told of a cycle: of a longer one its beginning and its last. */
const edgesTold = 12

function cycleText(edges: readonly CycleEdge[]): string {
  const facts = edges.map(({ source, target, words }) => {
    return `${words}, so ${nameText(source)} came before ${nameText(target)}`
  })
  const left = facts.length - edgesTold
  if (left > 0) facts.splice(edgesTold - 1, left, `(and so on, for ${left} more)`)
  return `${facts.join('; ')}: a contradiction.`
}
