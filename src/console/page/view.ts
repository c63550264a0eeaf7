/**
 * What the server sends, as the page reads it. Everything from a process is optional: a process may be
 * of another version, or not answer.
 */
import { type Signal, signal } from '@preact/signals'

export interface View {
  readonly name: string
  readonly nowMs: number
  readonly processes: readonly Process[]
  readonly snapshots: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

export interface Process {
  readonly instance: string
  readonly service: string
  readonly pid: number | null
  readonly state: string
  readonly restarts: number
  readonly startedAtMs: number
  readonly lastExit?: string
  readonly paused?: boolean
}

export interface Saga {
  readonly name: string
  readonly id: string
  readonly version?: number
  readonly status: string
  readonly steps: readonly SagaStep[]
  readonly startedAtMs?: number
  readonly endedAtMs?: number
  readonly owner?: string
  readonly epoch?: string
}

export interface SagaStep {
  readonly name: string
  readonly status: string
  readonly attempts: number
  readonly startedAtMs?: number
  readonly endedAtMs?: number
  readonly undoStartedAtMs?: number
  readonly undoEndedAtMs?: number
}

export interface Queue {
  readonly name: string
  readonly ready: number
  readonly delayed: number
  readonly inFlight: number
  readonly blocked: number
  readonly dead: number
  readonly oldestReadyMs: number
}

export interface HeldLock {
  readonly name: string
  readonly token: string
  readonly holder: string
  readonly remainingMs: number
}

/** A member of a cluster, as it sees itself. */
export interface RaftMember {
  readonly id: string
  readonly role: string
  readonly term: number
  readonly commit: number
  readonly applied: number
  readonly logBytes: number
  readonly configuration: {
    readonly voters: readonly string[]
    readonly outgoing: readonly string[]
    readonly learners: readonly string[]
  }
  /** What the leader knows of the others. */
  readonly followers: readonly { readonly id: string; readonly match: number }[]
}

export interface Invariants {
  readonly ok: boolean
  readonly checks: readonly {
    readonly name: string
    readonly ok: boolean
    readonly detail: string
  }[]
}

/** The latest view; `undefined` until the first has come. */
export const view: Signal<View | undefined> = signal(undefined)
/** The last checks that anyone published: whoever looks can be dead for a moment. */
export const lastInvariants: Signal<Invariants['checks']> = signal([])
/** Is the stream of views alive? */
export const live: Signal<boolean> = signal(false)

/** Follows the server for as long as the page is open; the browser reconnects by itself. */
export function follow(): void {
  const source = new EventSource('/api/console/stream')
  source.onopen = () => {
    live.value = true
  }
  source.onmessage = ({ data }) => {
    live.value = true
    const latest = JSON.parse(String(data)) as View
    const [invariants] = sections<Invariants>(latest, 'invariants')
    if (invariants?.checks !== undefined) lastInvariants.value = invariants.checks
    view.value = latest
  }
  source.onerror = () => {
    live.value = false
  }
}

/** The parts of one section, from every process that has it. */
export function sections<Part>({ snapshots }: View, name: string): Part[] {
  return Object.values(snapshots).flatMap((published) => {
    const part = published[name]
    return part === undefined || part === null ? [] : [part as Part]
  })
}

/** Sections whose name begins with `prefix`, one of each name: all processes see the same. */
export function families<Part>({ snapshots }: View, prefix: string): Part[] {
  const found = new Map<string, Part>()
  for (const published of Object.values(snapshots)) {
    for (const [name, part] of Object.entries(published)) {
      if (name.startsWith(prefix)) found.set(name, part as Part)
    }
  }
  return [...found.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, part]) => part)
}
