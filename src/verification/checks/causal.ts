/**
 * Causal consistency of registers: whoever sees an effect sees its cause. What came before a step is what its
 * process did before, what it read was written before, and so on. A vector clock for each step holds all of
 * that. The patterns looked for are those of "On verifying causal consistency" (Bouajjani et al.,
 * POPL 2017) for plain causal consistency, complete if every value is written once.
 */
import type { Value } from '../history.ts'
import { type CheckReport, findings } from './findings.ts'

export interface CausalStep {
  readonly process: number | string
  readonly type: 'read' | 'write'
  readonly key: string
  /** Of a read, null: never written. */
  readonly value: Value
}

/**
 *   thin air     a value was read that nobody wrote
 *   cycle        a step comes before itself
 *   overwritten  a read saw a value, though it knew of one that came after it
 *   unwritten    a read saw nothing, though it knew of a write
 */
export type CausalFinding = 'thin air' | 'cycle' | 'overwritten' | 'unwritten'

interface Node extends CausalStep {
  readonly lane: number
  /** From 1, within its process. */
  readonly index: number
  writer?: Node
  /** Of each lane, how many of its steps came before this one or are it. */
  clock?: Int32Array
}

/**
 * Time grows with steps × processes.
 * @param history steps in the order in which each process took them
 * @throws RangeError a value was written twice: then reads do not name their writer
 */
export function checkCausal(history: readonly CausalStep[]): CheckReport<CausalFinding> {
  const found = findings<CausalFinding>()
  const lanes = lanesOf(history)
  const nodes = lanes.flat()
  const writers = new Map<string, Node>()
  for (const node of nodes) {
    if (node.type !== 'write') continue
    if (writers.has(nameOf(node))) throw new RangeError(`${nameOf(node)} was written twice`)
    writers.set(nameOf(node), node)
  }
  for (const node of nodes) {
    if (node.type !== 'read' || node.value === null) continue
    const writer = writers.get(nameOf(node))
    if (writer !== undefined) node.writer = writer
    else found.add('thin air', `${nameOf(node)} was read and never written`)
  }
  if (!clocked(lanes, nodes.length)) {
    found.add('cycle', 'some steps come before themselves')
    return found.report(true)
  }
  const writes = writesByKey(nodes)
  for (const node of nodes) {
    if (node.type === 'read') judgeRead(node, writes, found.add)
  }
  return found.report(nodes.some(({ type }) => type === 'read'))
}

function lanesOf(history: readonly CausalStep[]): Node[][] {
  const lanes = new Map<number | string, Node[]>()
  for (const step of history) {
    const steps = lanes.get(step.process) ?? []
    if (steps.length === 0) lanes.set(step.process, steps)
    const lane = steps[0]?.lane ?? lanes.size - 1
    steps.push({ ...step, lane, index: steps.length + 1 })
  }
  return [...lanes.values()]
}

function nameOf({ key, value }: CausalStep): string {
  return `${key} = ${typeof value} ${String(value)}`
}

/** Gives each step its clock once all that comes before has one. @returns false: some never get one */
function clocked(lanes: readonly (readonly Node[])[], count: number): boolean {
  const next = lanes.map(() => 0)
  let done = 0
  for (let progress = true; progress; ) {
    progress = false
    lanes.forEach((steps, lane) => {
      for (let node = steps[next[lane] ?? 0]; node !== undefined; node = steps[next[lane] ?? 0]) {
        if (node.writer !== undefined && node.writer.clock === undefined) return
        const clock = Int32Array.from(steps[node.index - 2]?.clock ?? new Int32Array(lanes.length))
        node.writer?.clock?.forEach((seen, other) => {
          clock[other] = Math.max(seen, clock[other] ?? 0)
        })
        clock[lane] = node.index
        node.clock = clock
        next[lane] = node.index
        done += 1
        progress = true
      }
    })
  }
  return done === count
}

/** Of each key, of each lane, its writes in order. */
function writesByKey(nodes: readonly Node[]): Map<string, Map<number, Node[]>> {
  const writes = new Map<string, Map<number, Node[]>>()
  for (const node of nodes) {
    if (node.type !== 'write') continue
    const ofKey = writes.get(node.key) ?? new Map<number, Node[]>()
    writes.set(node.key, ofKey)
    const ofLane = ofKey.get(node.lane)
    if (ofLane === undefined) ofKey.set(node.lane, [node])
    else ofLane.push(node)
  }
  return writes
}

/** The last write of each lane that the read knows is enough: if an earlier one tells, so does it. */
function judgeRead(
  read: Node,
  writes: ReadonlyMap<string, ReadonlyMap<number, readonly Node[]>>,
  add: (kind: CausalFinding, words: string) => void,
): void {
  const { writer, clock, key, value } = read
  if (writer === undefined && value !== null) return
  for (const [lane, ofLane] of writes.get(key) ?? []) {
    const known = clock?.[lane] ?? 0
    const last = lastUntil(ofLane, known)
    if (last === undefined || last === writer) continue
    const who = `process ${read.process} read ${nameOf(read)}`
    if (writer === undefined) add('unwritten', `${who}, and knew ${nameOf(last)}`)
    else if ((last.clock?.[writer.lane] ?? 0) >= writer.index) {
      add('overwritten', `${who}, and knew that ${nameOf(last)} came after it`)
    }
  }
}

function lastUntil(ofLane: readonly Node[], index: number): Node | undefined {
  let low = 0
  let high = ofLane.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((ofLane[middle]?.index ?? 0) <= index) low = middle + 1
    else high = middle
  }
  return ofLane[low - 1]
}
