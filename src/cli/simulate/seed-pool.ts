/**
 * Several threads share the seeds. They are given out in order, and once one has failed, those before it
 * are still run to their end: so the failure found is the first in that order, however many threads there
 * are. A watchdog stands outside: only from there can a program that never gives the event loop back be
 * seen and stopped.
 */
import { Worker } from 'node:worker_threads'
import { InvalidArgumentError } from '../../errors.ts'
import type { SimulateRequest } from './request.ts'
import type { SeedNews, SeedOrder, SeedReport } from './seed-worker.ts'

export interface SeedPoolEvents {
  /** `index`: the seed's place in the order in which they are given out. */
  ran(index: number, report: SeedReport): void
  /** This seed did not come back in time; its thread was stopped. */
  hung(index: number, seed: number): void
}

/** The seeds to run, one after the other. `undefined`: no more. */
export type SeedSource = () => { readonly index: number; readonly seed: number } | undefined

/** Orders small enough that all threads end at about the same time. */
const orderMax = 8

/**
 * Runs until all seeds are done, or one has failed and all before it are done.
 * @throws {InvalidArgumentError} the scenario cannot be loaded, or an option is out of range.
 */
export async function runSeeds(
  request: SimulateRequest,
  source: SeedSource,
  events: SeedPoolEvents,
): Promise<void> {
  let failedAt = Number.POSITIVE_INFINITY
  const size = Math.max(1, Math.min(orderMax, Math.floor(request.seeds / (2 * request.workers))))
  const pool: Pool = {
    order() {
      if (failedAt < Number.POSITIVE_INFINITY) return undefined
      const seeds: { readonly index: number; readonly seed: number }[] = []
      while (seeds.length < size) {
        const next = source()
        if (next === undefined) break
        seeds.push(next)
      }
      return seeds.length === 0 ? undefined : { seeds, explain: false }
    },
    isPast: (index) => index > failedAt,
    ran(index, report) {
      if (index > failedAt) return
      if (report.failure !== undefined) failedAt = index
      events.ran(index, report)
    },
    hung(index, seed) {
      if (index > failedAt) return
      failedAt = index
      events.hung(index, seed)
    },
  }
  const threads = Math.min(request.workers, request.seeds)
  await Promise.all(Array.from({ length: threads }, () => thread(request, pool)))
}

/** Runs one seed again, shrinks it and draws it. */
export async function explainSeed(
  request: SimulateRequest,
  seed: number,
): Promise<SeedReport | undefined> {
  let told: SeedReport | undefined
  const orders: SeedOrder[] = [{ seeds: [{ index: 0, seed }], explain: true }]
  await thread(request, {
    order: () => orders.pop(),
    isPast: () => false,
    ran(_, report) {
      told = report
    },
    hung() {},
  })
  return told
}

interface Pool extends SeedPoolEvents {
  order(): SeedOrder | undefined
  /** Does this seed no longer matter, because one before it has failed? */
  isPast(index: number): boolean
}

function thread(request: SimulateRequest, pool: Pool): Promise<void> {
  const worker = new Worker(new URL('./seed-worker.js', import.meta.url), { workerData: request })
  let at = { index: -1, seed: request.firstSeed }
  let begunMs = Date.now()
  let failure: Error | undefined
  let leaving = false
  // Stopped by force in the middle of a call to SQLite, a thread may take the whole command with it: so it
  // is asked to leave, and ends the seed it is at.
  const leave = (): void => {
    if (!leaving) worker.postMessage('leave' satisfies SeedOrder)
    leaving = true
  }
  return new Promise<void>((resolve, reject) => {
    const watchdog = setInterval(() => {
      if (pool.isPast(at.index)) leave()
      if (Date.now() - begunMs < request.seedSecondsMax * 1_000) return
      clearInterval(watchdog)
      if (!pool.isPast(at.index)) pool.hung(at.index, at.seed)
      worker.terminate().then(
        () => resolve(),
        () => resolve(),
      )
    }, 250)
    worker.on('error', (error) => {
      failure ??= error
    })
    worker.on('exit', () => {
      clearInterval(watchdog)
      if (failure === undefined) resolve()
      else reject(failure)
    })
    worker.on('message', (news: SeedNews) => {
      begunMs = Date.now()
      if (news.kind === 'begun') at = news
      else if (news.kind === 'ran') pool.ran(news.index, news.report)
      else if (news.kind === 'broken') {
        failure ??= failureOf(news)
        leave()
      } else {
        const given = pool.order()
        if (given === undefined) leave()
        else worker.postMessage(given)
      }
      if (pool.isPast(at.index)) leave()
    })
  })
}

function failureOf({ message, isUsage }: { message: string; isUsage: boolean }): Error {
  return isUsage ? new InvalidArgumentError(message) : new Error(message)
}
