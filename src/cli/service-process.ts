/**
 * One process under `holdfast up`: it reports ready, answers what it publishes, and when asked to leave
 * (SIGTERM, or the supervisor is gone) closes what it opened, in reverse order, and exits.
 */
import process from 'node:process'
import { ConfigurationError } from '../errors.ts'
import type { Observer } from '../observability/index.ts'
import type { FromChild, ToChild } from './up/messages.ts'
import { type DriverNames, defaultDriver } from './up/plan.ts'

export interface ServiceContext {
  /** `order-1`. */
  readonly instance: string
  readonly service: string
  /** Where this system keeps its files. */
  readonly dataFolder: string
  /** The driver chosen for each port: `embedded`, or one that the plan offers. */
  readonly drivers: DriverNames
  /** Give it to what you open: its snapshots go to the console, its events to the log. */
  readonly observer: Observer
  /** Runs at the end, the last one registered first. */
  onStop(close: () => Promise<void> | void): void
}

export interface ServiceReady {
  /** `host:port` of this instance's HTTP, if its service is the plan's front. */
  readonly httpAddress?: string
}

/** Longest time the closing may take before the process leaves anyway. */
const closeMaxMs = 15_000

/**
 * Runs one instance. `start` resolves when it can serve; a failure ends the process with 1, and the
 * supervisor tries again.
 */
export async function serviceProcess(
  start: (context: ServiceContext) => Promise<ServiceReady | undefined>,
): Promise<void> {
  const closers: (() => Promise<void> | void)[] = []
  const sections = new Map<string, () => unknown | Promise<unknown>>()
  const leave = leaving(closers)
  process.once('SIGTERM', () => leave('SIGTERM'))
  process.once('disconnect', () => leave('the supervisor is gone'))
  // The terminal sends SIGINT to the whole group; the supervisor decides who leaves when.
  process.on('SIGINT', () => {})
  // When the supervisor is gone nobody reads: that must not cut the drain short.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
  process.on('message', (message: ToChild) => {
    void answer(message, sections)
  })
  const ready = await start({
    instance: variable('HOLDFAST_INSTANCE'),
    service: variable('HOLDFAST_SERVICE'),
    dataFolder: variable('HOLDFAST_DATA'),
    drivers: {
      // A supervisor of an earlier version names no drivers.
      leases: variable('HOLDFAST_LEASES', defaultDriver),
      registry: variable('HOLDFAST_REGISTRY', defaultDriver),
      records: variable('HOLDFAST_RECORDS', defaultDriver),
    },
    observer: publishing(sections),
    onStop: (close) => closers.push(close),
  })
  send({ type: 'ready', ...ready })
}

function leaving(closers: readonly (() => Promise<void> | void)[]): (why: string) => void {
  let begun = false
  return (why) => {
    if (begun) return
    begun = true
    setTimeout(() => process.exit(1), closeMaxMs).unref()
    const close = async (): Promise<void> => {
      for (const closer of [...closers].reverse()) await closer()
    }
    close().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`leaving (${why}) failed: ${String(error)}\n`)
        process.exit(1)
      },
    )
  }
}

function publishing(sections: Map<string, () => unknown | Promise<unknown>>): Observer {
  const loud = /Lost|Failed|Died|died|corrupt|parked|Parked/
  return {
    event(name, fields) {
      if (loud.test(name)) process.stdout.write(`${name} ${JSON.stringify(fields ?? {})}\n`)
    },
    count() {},
    measure() {},
    snapshot(section, read) {
      sections.set(section, read)
      return () => {
        if (sections.get(section) === read) sections.delete(section)
      }
    },
  }
}

async function answer(
  { type, request }: ToChild,
  sections: ReadonlyMap<string, () => unknown | Promise<unknown>>,
): Promise<void> {
  if (type !== 'snapshot') return
  const read = [...sections].map(async ([section, view]) => {
    const value = await Promise.resolve()
      .then(view)
      .catch((error: unknown) => ({ error: String(error) }))
    return [section, value] as const
  })
  send({ type: 'snapshots', request, sections: Object.fromEntries(await Promise.all(read)) })
}

function send(message: FromChild): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => {})
}

function variable(name: string, fallback?: string): string {
  const value = process.env[name] ?? fallback
  if (value === undefined || value === '') {
    throw new ConfigurationError(`${name} is not set: start this program with "holdfast up"`)
  }
  return value
}
