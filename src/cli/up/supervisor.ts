/**
 * The supervisor keeps every instance of a plan alive and knows how each is doing.
 */
import { join } from 'node:path'
import { type Instance, type InstanceStatus, supervisedInstance } from './instance.ts'
import type { Sections } from './messages.ts'
import type { DriverNames, Plan } from './plan.ts'

export interface Supervisor {
  /** Starts every instance. Before it nothing runs. */
  start(): void
  statuses(): readonly InstanceStatus[]
  find(instance: string): Instance | undefined
  /** Has every instance of every service reported ready? */
  allReady(): boolean
  /**
   * Resolves when all are ready for the first time; rejects if that takes longer than `timeoutMs`, or as
   * soon as one is quarantined: it will not come.
   */
  whenReady(timeoutMs: number): Promise<void>
  /** Snapshots of every instance that answers within `timeoutMs`, by instance. */
  snapshots(timeoutMs: number): Promise<Readonly<Record<string, Sections>>>
  subscribe(changed: () => void): () => void
  /** Stops services in reverse order, the instances of one together. */
  stop(drainMs: number): Promise<void>
}

export interface SupervisorOptions {
  readonly plan: Plan
  /** Told to every instance. */
  readonly drivers: DriverNames
  readonly dataFolder: string
  /** The folder that entries of the plan are relative to. */
  readonly baseFolder: string
  log(line: string): void
}

export function supervisor(options: SupervisorOptions): Supervisor {
  const { plan, drivers, dataFolder, baseFolder, log } = options
  const listeners = new Set<() => void>()
  const changed = (): void => {
    for (const listener of [...listeners]) listener()
  }
  const groups = plan.services.map(({ name: service, entry, instances }) =>
    Array.from({ length: instances }, (_, index) =>
      supervisedInstance({
        service,
        name: `${service}-${index + 1}`,
        entry: join(baseFolder, entry),
        drivers,
        dataFolder,
        log,
        changed,
      }),
    ),
  )
  const all = groups.flat()

  const statuses = (): InstanceStatus[] => all.map((instance) => instance.status())
  const allReady = (): boolean => statuses().every(({ state }) => state === 'ready')
  const subscribe = (listener: () => void): (() => void) => {
    listeners.add(listener)
    return () => listeners.delete(listener)
  }

  return {
    start() {
      for (const instance of all) instance.start()
    },
    statuses,
    allReady,
    subscribe,
    find: (name) => all.find((instance) => instance.status().instance === name),
    whenReady: (timeoutMs) =>
      new Promise((resolve, reject) => {
        const end = (): void => {
          clearTimeout(late)
          unsubscribe()
        }
        const fail = (why: string): void => {
          end()
          const missing = statuses().filter(({ state }) => state !== 'ready')
          const told = missing.map(
            ({ instance, state, lastExit }) =>
              `${instance} (${state}${lastExit === undefined ? '' : `, last ${lastExit}`})`,
          )
          reject(new Error(`${why}: ${told.join(', ')}`))
        }
        const late = setTimeout(() => fail(`not ready after ${timeoutMs} ms`), timeoutMs)
        const look = (): void => {
          const looping = statuses().some(({ state }) => state === 'quarantined')
          if (looping) fail('does not start')
          if (!allReady()) return
          end()
          resolve()
        }
        const unsubscribe = subscribe(look)
        look()
      }),
    async snapshots(timeoutMs) {
      const answers = all.map(async (instance) => {
        const sections = await instance.snapshots(timeoutMs)
        return [instance.status().instance, sections] as const
      })
      return Object.fromEntries(await Promise.all(answers))
    },
    async stop(drainMs) {
      // Whoever takes requests leaves first, so that nobody asks a service that is already gone.
      for (const group of [...groups].reverse()) {
        await Promise.all(group.map((instance) => instance.stop(drainMs)))
      }
    },
  }
}
