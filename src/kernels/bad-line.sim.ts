/**
 * A real record store behind a bad connection, for trials: requests that never arrive, answers that get
 * lost, and requests that arrive long after their sender gave up. Nothing here invents an answer.
 */

import { embeddedRecordStore } from '../drivers/embedded/record-store.ts'
import { recordTables } from '../drivers/embedded/record-tables.ts'
import { OutcomeUnknownError, UnavailableError } from '../errors.ts'
import { silentObserver } from '../observability/observer.ts'
import type { RecordStore } from '../ports/record-store.ts'
import { type Runtime, sleep } from '../runtime/index.ts'

export interface RecordFaults {
  /** Share of writes that meet trouble, 0 to 1. */
  readonly share?: number
  readonly durability?: 'full' | 'relaxed'
}

export async function trialRecords(
  runtime: Runtime,
  { share = 0, durability = 'full' }: RecordFaults = {},
): Promise<RecordStore> {
  const file = await runtime.sql.open({ path: '/records.db', migrations: [recordTables] })
  const observer = silentObserver
  const options = { namespace: 'trial', pollMs: 1_000, durability, observer }
  const records = embeddedRecordStore(file, runtime, options)
  return share === 0 ? records : behindBadLine(runtime, records, share)
}

function behindBadLine(runtime: Runtime, records: RecordStore, share: number): RecordStore {
  const chance = (): number => runtime.random.fraction('bad-line')
  return {
    ...records,
    async put(write) {
      if (chance() >= share) return records.put(write)
      const kind = Math.floor(chance() * 4)
      if (kind === 0) throw new UnavailableError('the store is out of reach')
      if (kind === 1) throw new OutcomeUnknownError('the request got lost')
      if (kind === 2) {
        runtime.tasks.spawn('late-copy', async () => {
          await sleep(runtime.timers, chance() * 3_000)
          await records.put(write).catch(() => {})
        })
        throw new OutcomeUnknownError('the request is on its way')
      }
      await records.put(write)
      throw new OutcomeUnknownError('the answer got lost')
    },
  }
}
