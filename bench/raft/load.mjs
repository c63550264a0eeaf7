// Lanes of callers, each of which asks again as soon as it has its answer; and what processes cost.
import { readFileSync } from 'node:fs'

/** @returns calls a second and milliseconds, over `ms` of real time. */
export async function load(ms, width, call) {
  const latencies = []
  const startMs = performance.now()
  const lane = async (number) => {
    for (let count = 0, t = startMs; t < startMs + ms; count++) {
      await call(number, count)
      const done = performance.now()
      latencies.push(done - t)
      t = done
    }
  }
  await Promise.all(Array.from({ length: width }, (_, number) => lane(number)))
  const tookMs = performance.now() - startMs
  const sorted = Float64Array.from(latencies).sort()
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
  return {
    count: sorted.length,
    rate: (sorted.length * 1_000) / tookMs,
    p50: at(0.5),
    p99: at(0.99),
  }
}

/** Processor time that a process has taken so far, its threads' included, in milliseconds. */
export function processorMs(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) * 10
}

export const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1]

export const value = 'v'.repeat(100)
/** A hundred keys for each caller. */
export const keyOf = (lane, count) => `k/${lane}/${count % 100}`
