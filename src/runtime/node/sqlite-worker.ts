/**
 * The entry of the file's own thread. One per process and file: a sync or a wait for a lock stops this
 * thread and no other.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { fileService } from './file-service.ts'
import type { Request, WorkerSettings } from './sqlite-messages.ts'

const port = parentPort
if (port) {
  const service = fileService(
    workerData as WorkerSettings,
    (replies) => port.postMessage(replies),
    () => port.close(),
  )
  port.on('message', (requests: readonly Request[]) => service.receive(requests))
}
