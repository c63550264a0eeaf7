/**
 * Starts the file's own thread. Node 20 loads only JavaScript in a thread, so when this runs from the
 * TypeScript sources (the tests do), the built worker is taken.
 */
import { Worker } from 'node:worker_threads'
import type { WorkerSettings } from './sqlite-messages.ts'

export type StartThread = (settings: WorkerSettings) => Worker

export function sqliteThread(settings: WorkerSettings): Worker {
  return new Worker(workerUrl(import.meta.url), { workerData: settings, execArgv: [] })
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
