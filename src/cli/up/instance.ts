/**
 * One supervised instance and its life: it starts, reports ready, dies, rests, and starts again.
 */
import { type ChildLink, childLink } from './child-link.ts'
import type { Sections } from './messages.ts'
import type { DriverNames } from './plan.ts'
import { restPolicy } from './rest-policy.ts'

export type InstanceState =
  | 'starting'
  | 'ready'
  | 'resting'
  | 'quarantined'
  | 'stopping'
  | 'stopped'

export interface InstanceOptions {
  readonly service: string
  readonly name: string
  readonly entry: string
  readonly drivers: DriverNames
  readonly dataFolder: string
  log(line: string): void
  changed(): void
}

export interface InstanceStatus {
  readonly instance: string
  readonly service: string
  readonly pid: number | null
  readonly state: InstanceState
  readonly restarts: number
  readonly httpAddress: string | undefined
  /** Wall time of the last start. */
  readonly startedAtMs: number
  readonly lastExit: string | undefined
  /** Was it told to pause (SIGSTOP), and not yet to go on? */
  readonly paused: boolean
}

export interface Instance {
  status(): InstanceStatus
  start(): void
  /** Sends a signal to the process, if it lives. @returns `false` if there is none. */
  signal(name: NodeJS.Signals): boolean
  /** SIGTERM, then SIGKILL after `drainMs`. Resolves when it is gone; it is not started again. */
  stop(drainMs: number): Promise<void>
  /** What the process publishes now, or nothing if it does not answer within `timeoutMs`. */
  snapshots(timeoutMs: number): Promise<Sections>
}

/** How long a view of a process is shown when it does not answer. */
const staleMaxMs = 5_000

export function supervisedInstance(options: InstanceOptions): Instance {
  const { service, name, entry, drivers, dataFolder, log, changed } = options
  const rests = restPolicy()
  let child: ChildLink | undefined
  let state: InstanceState = 'stopped'
  let restarts = 0
  let startedAtMs = 0
  let httpAddress: string | undefined
  let lastExit: string | undefined
  let restTimer: NodeJS.Timeout | undefined
  let onPurpose = false
  let paused = false
  let last: { readonly atMs: number; readonly sections: Sections } = { atMs: 0, sections: {} }

  function become(next: InstanceState): void {
    state = next
    changed()
  }

  function start(): void {
    startedAtMs = Date.now()
    onPurpose = false
    paused = false
    child = childLink({
      entry,
      environment: {
        HOLDFAST_INSTANCE: name,
        HOLDFAST_SERVICE: service,
        HOLDFAST_DATA: dataFolder,
        HOLDFAST_LEASES: drivers.leases,
        HOLDFAST_REGISTRY: drivers.registry,
        HOLDFAST_RECORDS: drivers.records,
      },
      log: (line) => log(`${name}: ${line}`),
      ready(address) {
        httpAddress = address
        if (state === 'starting') become('ready')
      },
      died,
    })
    become('starting')
  }

  const died = (how: string): void => {
    child = undefined
    paused = false
    httpAddress = undefined
    lastExit = how
    if (state === 'stopping') {
      if (how !== 'exit 0') log(`${name} did not leave in good order (${how})`)
      become('stopped')
      return
    }
    const now = Date.now()
    const rest = rests.died({ atMs: now, livedMs: now - startedAtMs, onPurpose })
    log(`${name} died (${how})${rest.quarantined ? ' again and again: quarantined' : ''}`)
    restTimer = setTimeout(() => {
      restarts += 1
      start()
    }, rest.pauseMs)
    become(rest.quarantined ? 'quarantined' : 'resting')
  }

  async function stop(drainMs: number): Promise<void> {
    clearTimeout(restTimer)
    const leaving = child
    if (leaving === undefined) {
      become('stopped')
      return
    }
    become('stopping')
    leaving.kill('SIGTERM')
    // A paused process cannot drain: SIGCONT lets it hear the SIGTERM.
    leaving.kill('SIGCONT')
    const hammer = setTimeout(() => leaving.kill('SIGKILL'), drainMs)
    await leaving.gone
    clearTimeout(hammer)
  }

  const status = (): InstanceStatus => {
    const pid = child?.pid ?? null
    const seen = { instance: name, service, pid, state, restarts, paused }
    return { ...seen, httpAddress, startedAtMs, lastExit }
  }
  const signal = (which: NodeJS.Signals): boolean => {
    if (child === undefined) return false
    if (which === 'SIGKILL') onPurpose = true
    if (!child.kill(which)) return false
    if (which === 'SIGSTOP' || which === 'SIGCONT') {
      paused = which === 'SIGSTOP'
      changed()
    }
    return true
  }
  const snapshots = async (timeoutMs: number): Promise<Sections> => {
    if (state !== 'ready' || child === undefined) return {}
    const answer = await child.snapshots(timeoutMs)
    if (answer !== undefined) last = { atMs: Date.now(), sections: answer }
    // A process that is busy for a moment keeps its place on the page.
    return Date.now() - last.atMs < staleMaxMs ? last.sections : {}
  }
  return { start, stop, status, signal, snapshots }
}
