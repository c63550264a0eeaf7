/**
 * The simulator in a page or a worker: the same seeds give the same traces as on Node. Between two events
 * lies a turn of the page's event loop, so it is some ten times slower than on Node, and the page stays
 * alive meanwhile.
 *
 * Not promised: tripwires. Code that asks the real clock or chance is not told so; only a second run of the
 * seed shows it. There is no SQLite unless one is given.
 */
import { ConfigurationError } from '../../errors.ts'
import type { SyncDatabase } from '../../runtime/sqlite.ts'
import type { Platform } from '../core.ts'

export interface BrowserPlatformOptions {
  /** A new, empty database in memory, for worlds that use SQL. Default: they fail, and say why. */
  readonly openDatabase?: () => SyncDatabase
}

/** What a page or worker has and the types of Node do not know. */
interface Page {
  addEventListener(name: string, listener: (event: Complaint) => void): void
  removeEventListener(name: string, listener: (event: Complaint) => void): void
}
interface Complaint {
  readonly reason?: unknown
  readonly error?: unknown
  preventDefault(): void
}

export function browserPlatform(options: BrowserPlatformOptions = {}): Platform {
  const { openDatabase = refuse } = options
  return {
    openDatabase,
    drive: (step, unhandled) =>
      new Promise((resolve, reject) => {
        const complained = (event: Complaint): void => {
          event.preventDefault()
          unhandled(event.reason ?? event.error)
        }
        const page = globalThis as unknown as Page
        page.addEventListener('unhandledrejection', complained)
        page.addEventListener('error', complained)
        const { port1: near, port2: far } = new MessageChannel()
        const leave = (settle: () => void): void => {
          page.removeEventListener('unhandledrejection', complained)
          page.removeEventListener('error', complained)
          near.close()
          settle()
        }
        // Two turns: a rejection that nobody caught is told in a turn after that of its event.
        let settled = true
        near.onmessage = () => {
          settled = !settled
          if (!settled) return void far.postMessage(undefined)
          try {
            if (step()) far.postMessage(undefined)
            else leave(resolve)
          } catch (error) {
            leave(() => reject(error))
          }
        }
        far.postMessage(undefined)
      }),
  }
}

function refuse(): SyncDatabase {
  throw new ConfigurationError(
    'this page has no SQLite: give browserPlatform({ openDatabase }), or leave SQL to Node',
  )
}
