/**
 * A write whose answer is lost is neither done nor failed. Because it names the version it replaces, it
 * can be sent again: at most one copy is accepted. If a copy is refused, the stamp in the store tells
 * whether an earlier copy of ours was the one that got in.
 */
import { isHoldfastError, OutcomeUnknownError, outcomeOf } from '../errors.ts'
import type { RecordStore, RecordWrite } from '../ports/record-store.ts'
import type { Runtime } from '../runtime/runtime.ts'
import { sleep } from '../runtime/sleep.ts'
import { type DecisionRecord, decodeRecord, encodeRecord } from './decision-record.ts'

/** Copies of one write, and tries of one read, before the doubt is handed to the caller. */
const attemptsMax = 6
const backoffBaseMs = 20
const backoffCapMs = 1_000

export type WriteOptions = Omit<RecordWrite, 'value'>

export interface Written {
  readonly version: bigint
  /** As it is stored now: a request from outside may have joined before we could look. */
  readonly record: DecisionRecord
}

/**
 * @returns `undefined` if somebody else's write was there first.
 * @throws {OutcomeUnknownError} no answer after all attempts: read later.
 */
export async function writeRecord(
  runtime: Runtime,
  records: RecordStore,
  record: DecisionRecord,
  options: WriteOptions,
): Promise<Written | undefined> {
  const write: RecordWrite = { ...options, value: encodeRecord(record) }
  let inDoubt = false
  try {
    return await persist(runtime, async () => {
      try {
        const version = await records.put(write)
        if (version !== undefined) return { version, record }
        if (!inDoubt) return undefined
      } catch (error) {
        if (outcomeOf(error) === 'unknown') inDoubt = true
        throw error
      }
      const current = await records.get(write.space, write.key)
      if (current === undefined) return undefined
      const stored = decodeRecord(write.key, current.value)
      const ours = stored.stamp === record.stamp
      return ours ? { version: current.version, record: stored } : undefined
    })
  } catch (cause) {
    if (!inDoubt || outcomeOf(cause) === 'unknown') throw cause
    // A later copy surely did nothing, but an earlier one may have.
    throw new OutcomeUnknownError(`no answer to a write of "${write.key}"`, { cause })
  }
}

/** Repeats work that is safe to repeat, with full jitter, while the store is out of reach. */
export async function persist<T>(runtime: Runtime, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work()
    } catch (error) {
      const passing = isHoldfastError(error) && error.outcome !== 'invalid'
      if (!passing || error.code === 'closed' || attempt === attemptsMax) throw error
      const capMs = Math.min(backoffCapMs, backoffBaseMs * 2 ** attempt)
      await sleep(runtime.timers, capMs * runtime.random.fraction('decision-backoff'))
    }
  }
}
