/**
 * Remembers the answers of recent calls that came with an idempotency key, so that a repeated call gets
 * the first answer instead of a second execution. In memory: it holds for one process and for the stated
 * time and number. What must hold longer belongs into a record, beside the effect.
 */
import { KeyReusedError, outcomeOf } from '../../errors.ts'
import { requireInteger } from '../../ports/arguments.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { RpcApplicationError } from './rpc-error.ts'

/** What a server needs in order to execute a keyed call once. */
export interface CallHistory {
  /**
   * Runs `work` unless this key was run before; then gives that answer, or waits for it.
   * @throws {KeyReusedError} the key came before with another `fingerprint`.
   */
  once(key: string, fingerprint: string, work: () => Promise<Uint8Array>): Promise<Uint8Array>
}

export interface RecentCallsOptions {
  /** 1 to 1_000_000. Default 10_000. The oldest ended call is forgotten first. */
  readonly entriesMax?: number
  /** Answers kept, in bytes. Default 64 MiB. */
  readonly bytesMax?: number
  /** How long an answer is kept. Default 10 minutes. */
  readonly ttlMs?: number
}

interface Entry {
  readonly fingerprint: string
  readonly answer: Promise<Uint8Array>
  bytes: number
  /** Monotonic; infinite while it runs. */
  forgetMs: number
}

export function recentCalls(runtime: Runtime, options: RecentCallsOptions = {}): CallHistory {
  const { entriesMax = 10_000, bytesMax = 67_108_864, ttlMs = 600_000 } = options
  requireInteger('entriesMax', entriesMax, 1, 1_000_000)
  requireInteger('bytesMax', bytesMax, 1, 2 ** 40)
  requireInteger('ttlMs', ttlMs, 1, 604_800_000)
  const { clock } = runtime
  /** In the order in which they ended; those that run are in `running`. */
  const ended = new Map<string, Entry>()
  const running = new Map<string, Entry>()
  let bytes = 0

  function forget(): void {
    const nowMs = clock.monotonicMs()
    for (const [key, entry] of ended) {
      if (ended.size <= entriesMax && bytes <= bytesMax && entry.forgetMs > nowMs) return
      ended.delete(key)
      bytes -= entry.bytes
    }
  }

  function keep(key: string, entry: Entry, sizeBytes: number): void {
    running.delete(key)
    entry.bytes = sizeBytes
    entry.forgetMs = clock.monotonicMs() + ttlMs
    ended.set(key, entry)
    bytes += sizeBytes
    forget()
  }

  return {
    once(key, fingerprint, work) {
      forget()
      const known = running.get(key) ?? ended.get(key)
      if (known !== undefined) {
        if (known.fingerprint === fingerprint) return known.answer
        throw new KeyReusedError(`call id "${key}" came before with another request`)
      }
      const entry: Entry = {
        fingerprint,
        answer: work(),
        bytes: 0,
        forgetMs: Number.POSITIVE_INFINITY,
      }
      running.set(key, entry)
      entry.answer.then(
        (answer) => keep(key, entry, answer.length),
        (error: unknown) => {
          // Only what certainly did not happen may be tried again under the same key.
          const again = outcomeOf(error) === 'not-applied' && error instanceof RpcApplicationError
          if (again) running.delete(key)
          else keep(key, entry, 0)
        },
      )
      return entry.answer
    },
  }
}

/** Two requests under one key must be the same request. FNV-1a, 2 × 32 bits: against mistakes only. */
export function fingerprintOf(route: string, payload: Uint8Array): string {
  let low = 0x811c9dc5
  let high = 0x01000193
  for (const byte of payload) {
    low = Math.imul(low ^ byte, 0x01000193)
    high = Math.imul(high ^ byte, 0x85ebca6b)
  }
  return `${route} ${payload.length} ${low >>> 0} ${high >>> 0}`
}
