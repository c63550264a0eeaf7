/**
 * A thread must not be ended in the middle of a call into SQLite: with one of the libraries that aborts
 * the whole process, and `process.exit()` ends every thread at once. So each call passes a gate. Who
 * wants to end the thread shuts the gate, waits until nobody is inside, and ends it then; a transaction
 * that was open is rolled back, as after any death.
 */
import type { SyncDatabase } from '../sqlite.ts'

/** Two cells shared by the threads: is the gate shut, and is somebody inside? */
export type GateCells = Int32Array<SharedArrayBuffer>

const shut = 0
const inside = 1

/** Longer than any commit on a disk that still works. */
const waitMsMax = 5_000

export function gateCells(): GateCells {
  return new Int32Array(new SharedArrayBuffer(8))
}

/** From the other thread: blocks until no call is under way. */
export function shutGate(cells: GateCells): void {
  Atomics.store(cells, shut, 1)
  Atomics.wait(cells, inside, 1, waitMsMax)
}

/** In the file's own thread: every call goes through the gate, or stops there for ever. */
export function gated(database: SyncDatabase, cells: GateCells): SyncDatabase {
  function pass<Value>(call: () => Value): Value {
    Atomics.store(cells, inside, 1)
    if (Atomics.load(cells, shut) === 1) {
      leave()
      Atomics.wait(cells, shut, 1) // until the thread is ended
    }
    try {
      return call()
    } finally {
      leave()
    }
  }

  function leave(): void {
    Atomics.store(cells, inside, 0)
    Atomics.notify(cells, inside)
  }

  return {
    exec: (sql) => pass(() => database.exec(sql)),
    prepare(sql) {
      const statement = pass(() => database.prepare(sql))
      return { run: (parameters) => pass(() => statement.run(parameters)) }
    },
    close: () => pass(() => database.close()),
  }
}
