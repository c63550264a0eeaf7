/**
 * Several threads share the seeds. A watchdog stands outside them: only from there can a program that
 * never gives the event loop back be seen and stopped.
 */
import { Worker } from 'node:worker_threads'
import { InvalidArgumentError } from '../../errors.ts'
import type { SimulateRequest } from './request.ts'
import type { SeedNews, SeedOrder, SeedReport } from './seed-worker.ts'

export interface SeedPoolEvents {
  ran(report: SeedReport): void
  /** This seed did not come back in time; its thread was stopped. */
  hung(seed: number): void
}

/** Orders small enough that all threads end at about the same time. */
const orderMax = 8

/**
 * Runs until all seeds are done, time is up, or `isOver` says so.
 * @throws {InvalidArgumentError} the scenario cannot be loaded, or an option is out of range.
 */
export async function runSeeds(
  request: SimulateRequest,
  isOver: () => boolean,
  events: SeedPoolEvents,
): Promise<void> {
  const endMs = request.minutes === undefined ? Infinity : Date.now() + request.minutes * 60_000
  const endSeed = request.firstSeed + request.seeds
  let next = request.firstSeed
  function order(): SeedOrder | undefined {
    if (isOver() || Date.now() >= endMs || next >= endSeed) return undefined
    const left = endSeed - next
    const seeds = Math.max(1, Math.min(orderMax, Math.floor(left / (2 * request.workers))))
    const firstSeed = next
    next += seeds
    return { firstSeed, seeds }
  }
  const threads = Math.min(request.workers, request.seeds)
  await Promise.all(Array.from({ length: threads }, () => thread(request, order, isOver, events)))
}

function thread(
  request: SimulateRequest,
  order: () => SeedOrder | undefined,
  isOver: () => boolean,
  events: SeedPoolEvents,
): Promise<void> {
  const worker = new Worker(new URL('./seed-worker.js', import.meta.url), { workerData: request })
  let seed = request.firstSeed
  let begunMs = Date.now()
  return new Promise<void>((resolve, reject) => {
    const watchdog = setInterval(() => {
      if (isOver()) leave(resolve)
      else if (Date.now() - begunMs > request.seedSecondsMax * 1_000) {
        leave(() => {
          events.hung(seed)
          resolve()
        })
      }
    }, 250)
    const leave = (then: () => void): void => {
      clearInterval(watchdog)
      worker.terminate().then(then, then)
    }
    worker.on('error', (error) => leave(() => reject(error)))
    worker.on('message', (news: SeedNews) => {
      begunMs = Date.now()
      if (news.kind === 'begun') seed = news.seed
      else if (news.kind === 'ran') events.ran(news.report)
      else if (news.kind === 'broken') leave(() => reject(failureOf(news)))
      else {
        const given = order()
        if (given === undefined) leave(resolve)
        else worker.postMessage(given)
      }
    })
  })
}

function failureOf({ message, isUsage }: { message: string; isUsage: boolean }): Error {
  return isUsage ? new InvalidArgumentError(message) : new Error(message)
}
