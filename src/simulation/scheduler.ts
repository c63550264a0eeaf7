/**
 * One event at a time, then everything that follows from it, then the next: that is the whole
 * concurrency of a world. The scheduler owns virtual time and knows whose event is running.
 */
import { mix } from './chance.ts'
import { eventQueue, type SimulatedEvent } from './event-queue.ts'
import type { Death, Incarnation } from './incarnation.ts'
import type { Trace } from './trace.ts'

export interface Scheduler {
  /** Virtual microseconds since the world began. */
  nowUs(): number
  /** Runs `run` after `delayUs`, if the owner still lives then and when it is not paused. */
  after(
    owner: Incarnation,
    delayUs: number,
    kind: string,
    run: () => void,
    digest?: number,
  ): SimulatedEvent
  cancel(event: SimulatedEvent): void
  /** Ends a pause now: what was put off becomes due. */
  resume(owner: Incarnation): void
  /** Ends a life: its events never run, and the kernel's endings do. */
  end(owner: Incarnation, death: Death): void
  /** Whose event runs now; between events the last one. */
  current(): Incarnation | undefined
  /** Runs the next event. @returns `false` if nothing is left to happen. */
  runNext(): boolean
  eventCount(): number
}

export function scheduler(
  trace: Trace,
  thrown: (owner: Incarnation, error: unknown) => void,
): Scheduler {
  const queue = eventQueue()
  let nowUs = 0
  let dead = 0
  let count = 0
  let current: Incarnation | undefined

  const isDead = (event: SimulatedEvent): boolean => event.run === undefined || !event.owner.alive

  // Cancelled timeouts and the dead of a thousand crashes must not pile up.
  function buried(events: number): void {
    dead += events
    if (dead < 1_024 || dead * 2 < queue.size()) return
    queue.purge(isDead)
    dead = 0
  }

  function defer(event: SimulatedEvent, owner: Incarnation): void {
    event.deferred = true
    event.atUs = owner.pausedUntilUs
    event.tie = owner.deferred++ // small ties come first and in the order in which they were due
    queue.push(event)
  }

  return {
    nowUs: () => nowUs,
    after(owner, delayUs, kind, run, digest = 0) {
      const tie = mix(owner.key, owner.scheduled++)
      const event = { atUs: nowUs + delayUs, tie, owner, kind, digest, run, deferred: false }
      if (!owner.alive) return event
      owner.waiting++
      queue.push(event)
      return event
    },
    cancel(event) {
      if (event.run === undefined) return
      event.run = undefined
      if (!event.owner.alive) return
      event.owner.waiting--
      buried(1)
    },
    resume(owner) {
      if (owner.pausedUntilUs <= nowUs) return
      owner.pausedUntilUs = nowUs
      const mine: SimulatedEvent[] = []
      queue.purge((event) => {
        const due = event.owner === owner && event.deferred && !isDead(event)
        if (due) mine.push(event)
        return due || isDead(event)
      })
      dead = 0
      for (const event of mine) {
        event.atUs = nowUs
        queue.push(event)
      }
    },
    end(owner, death) {
      if (!owner.alive) return
      owner.alive = false
      buried(owner.waiting)
      for (const ending of owner.endings) ending(death)
      owner.endings.clear()
    },
    current: () => current,
    runNext() {
      for (;;) {
        const event = queue.pop()
        if (event === undefined) return false
        const { owner, run } = event
        if (run === undefined || !owner.alive) {
          if (dead > 0) dead--
          continue
        }
        nowUs = event.atUs
        if (owner.pausedUntilUs > nowUs) {
          defer(event, owner)
          continue
        }
        event.run = undefined
        owner.waiting--
        if (!event.deferred) owner.deferred = 0
        count++
        current = owner
        trace.event(nowUs, owner.name, owner.key, event.kind, event.digest)
        try {
          run()
        } catch (error) {
          thrown(owner, error)
        }
        return true
      }
    },
    eventCount: () => count,
  }
}
