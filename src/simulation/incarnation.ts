/**
 * An incarnation is one life of one process, from start to death. Every event belongs to one; when it
 * dies, its events are dropped wherever they are, so its timers, sockets and pending calls freeze for
 * ever, exactly as after SIGKILL: no promise settles, no `finally` runs, no abort signal fires.
 */

import type { Runtime } from '../runtime/runtime.ts'

/** How a life ended: `exit` closes sockets in good order, `kill` breaks them, `power-cut` is silent. */
export type Death = 'exit' | 'kill' | 'power-cut'

export interface Incarnation {
  /** `machine/process` */
  readonly name: string
  /** Key of this life's random streams. */
  readonly key: number
  /** How many events it has scheduled: with `key`, it orders events of one instant. */
  scheduled: number
  /** How many of its events wait in the queue. */
  waiting: number
  alive: boolean
  /** Nothing of it runs before this virtual time. */
  pausedUntilUs: number
  /** How many of its events were put off by the current pause; keeps their order. */
  deferred: number
  /** What the kernel does when the process is gone: closes its sockets, frees its locks. */
  readonly endings: Set<(death: Death) => void>
  /** What its program was given, once it runs. */
  runtime: Runtime | undefined
}

export function incarnation(name: string, key: number): Incarnation {
  return {
    name,
    key,
    scheduled: 0,
    waiting: 0,
    alive: true,
    pausedUntilUs: 0,
    deferred: 0,
    endings: new Set(),
    runtime: undefined,
  }
}

/** A promise that never settles: what a call of a dead process returns. */
export function never<Value>(): Promise<Value> {
  return new Promise(() => {})
}
