/**
 * The one queue of everything that will happen: a binary heap by virtual time. Events of the same
 * instant are ordered by a keyed draw, so that each seed tries another order.
 */
import type { Incarnation } from './incarnation.ts'

export interface SimulatedEvent {
  /** Virtual microseconds. */
  atUs: number
  /** Orders events of one instant. */
  tie: number
  readonly owner: Incarnation
  readonly kind: string
  /** For the trace hash: what the event carries. */
  readonly digest: number
  /** Put off by a pause of its owner. */
  deferred: boolean
  /** `undefined` once cancelled. */
  run: (() => void) | undefined
}

export interface EventQueue {
  push(event: SimulatedEvent): void
  /** The earliest event; `undefined` if there is none. */
  pop(): SimulatedEvent | undefined
  /** Drops all events that `isDead` names. */
  purge(isDead: (event: SimulatedEvent) => boolean): void
  size(): number
}

function before(left: SimulatedEvent, right: SimulatedEvent): boolean {
  return left.atUs < right.atUs || (left.atUs === right.atUs && left.tie < right.tie)
}

function siftDown(heap: SimulatedEvent[], start: number): void {
  const moving = heap[start]
  if (moving === undefined) return
  let hole = start
  for (;;) {
    let child = 2 * hole + 1
    let least = heap[child]
    if (least === undefined) break
    const right = heap[child + 1]
    if (right !== undefined && before(right, least)) {
      least = right
      child++
    }
    if (!before(least, moving)) break
    heap[hole] = least
    hole = child
  }
  heap[hole] = moving
}

export function eventQueue(): EventQueue {
  let heap: SimulatedEvent[] = []
  return {
    push(event) {
      let hole = heap.length
      while (hole > 0) {
        const parentIndex = (hole - 1) >> 1
        const parent = heap[parentIndex]
        if (parent === undefined || !before(event, parent)) break
        heap[hole] = parent
        hole = parentIndex
      }
      heap[hole] = event
    },
    pop() {
      const first = heap[0]
      const last = heap.pop()
      if (last !== undefined && heap.length > 0) {
        heap[0] = last
        siftDown(heap, 0)
      }
      return first
    },
    purge(isDead) {
      heap = heap.filter((event) => !isDead(event))
      for (let index = (heap.length >> 1) - 1; index >= 0; index--) siftDown(heap, index)
    },
    size: () => heap.length,
  }
}
