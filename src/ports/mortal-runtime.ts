/**
 * A runtime that can die: after `die` its timers, tasks and pending batches never come back, as after
 * SIGKILL. It lets a conformance case kill one client inside a process that lives on.
 */
import type { Runtime } from '../runtime/runtime.ts'
import type { SqlFile } from '../runtime/sql.ts'

export interface MortalRuntime {
  readonly runtime: Runtime
  die(): void
}

export function mortalRuntime(living: Runtime): MortalRuntime {
  let dead = false
  const never = new Promise<never>(() => {})

  /** What is asked after death is never sent, and answers that come after it are not heard. */
  async function whileAlive<Value>(work: () => Promise<Value>): Promise<Value> {
    if (dead) return never
    return work().then(
      (value) => (dead ? never : value),
      (error: unknown) => (dead ? never : Promise.reject(error)),
    )
  }
  const unlessDead = (callback: () => void) => (): void => {
    if (!dead) callback()
  }
  const mortalFile = (file: SqlFile): SqlFile => ({
    run: (batch) => whileAlive(() => file.run(batch)),
    listen: (topic, wake) => file.listen(topic, unlessDead(wake)),
    close: () => file.close(),
  })

  return {
    runtime: {
      ...living,
      timers: {
        schedule: (delayMs, callback, options) =>
          living.timers.schedule(delayMs, unlessDead(callback), options),
      },
      tasks: {
        spawn(name, work) {
          if (!dead) living.tasks.spawn(name, work)
        },
      },
      sql: {
        open: (options) => whileAlive(async () => mortalFile(await living.sql.open(options))),
      },
    },
    die() {
      dead = true
    },
  }
}
