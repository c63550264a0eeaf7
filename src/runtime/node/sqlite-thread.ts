/**
 * Starts and ends the file's own thread. Node 20 loads only JavaScript in a thread, so when this runs
 * from the TypeScript sources (the tests do), the built worker is taken.
 */
import { Worker } from 'node:worker_threads'
import type { WorkerSettings } from './sqlite-messages.ts'
import { type GateCells, gateCells, shutGate } from './thread-gate.ts'

export type StartThread = (settings: Omit<WorkerSettings, 'gate'>) => Worker

const gates = new Map<Worker, GateCells>()

export function sqliteThread(settings: Omit<WorkerSettings, 'gate'>): Worker {
  const gate = gateCells()
  const worker = new Worker(workerUrl(import.meta.url), {
    workerData: { ...settings, gate } satisfies WorkerSettings,
    execArgv: [],
  })
  // One listener for all threads, and only while there are any.
  if (gates.size === 0) process.on('exit', shutAll)
  gates.set(worker, gate)
  worker.on('exit', () => {
    gates.delete(worker)
    if (gates.size === 0) process.off('exit', shutAll)
  })
  return worker
}

/** Ends a thread that is of no use any more, between two calls into SQLite. */
export function endThread(worker: Worker): void {
  const gate = gates.get(worker)
  if (gate) shutGate(gate)
  void worker.terminate()
}

function shutAll(): void {
  for (const gate of gates.values()) shutGate(gate)
}

function workerUrl(here: string): URL {
  const fromSources = here.endsWith('.ts')
  const url = new URL(fromSources ? 'sqlite-worker.ts' : 'sqlite-worker.js', here)
  if (fromSources) {
    url.pathname = url.pathname
      .replace(/\/src\/(?=runtime\/node\/[^/]*$)/, '/dist/')
      .replace(/\.ts$/, '.js')
  }
  return url
}
