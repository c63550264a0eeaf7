/**
 * Who holds what in this process right now: the page an operator looks at when something is stuck.
 * Offered to the observer as section `locks` while anything is held, and withdrawn when nothing is.
 */
import type { Observer } from '../observability/index.ts'
import type { Runtime } from '../runtime/index.ts'

/** One line of the `locks` section. */
export interface HeldLeaseView {
  readonly name: string
  /** A 64-bit value as text. */
  readonly token: string
  readonly holder: string
  readonly remainingMs: number
  /** Wall time at which it was taken. */
  readonly sinceMs: number
}

/** Lines shown at most; the rest is only counted. */
const shownMax = 1_000

interface Roster {
  readonly views: Set<() => HeldLeaseView>
  withdraw: () => void
}

const rosters = new WeakMap<Runtime, Map<Observer, Roster>>()

/** @returns takes the line off the page. Safe to repeat. */
export function enrol(runtime: Runtime, observer: Observer, view: () => HeldLeaseView): () => void {
  const byObserver = rosters.get(runtime) ?? new Map<Observer, Roster>()
  rosters.set(runtime, byObserver)
  const roster = byObserver.get(observer) ?? open(byObserver, observer)
  roster.views.add(view)
  return () => {
    if (!roster.views.delete(view) || roster.views.size > 0) return
    byObserver.delete(observer)
    roster.withdraw()
  }
}

function open(byObserver: Map<Observer, Roster>, observer: Observer): Roster {
  const views = new Set<() => HeldLeaseView>()
  const roster: Roster = { views, withdraw: () => {} }
  roster.withdraw = observer.snapshot('locks', () => {
    const held = Array.from(views).slice(0, shownMax)
    return { total: views.size, held: held.map((view) => view()) }
  })
  byObserver.set(observer, roster)
  return roster
}
