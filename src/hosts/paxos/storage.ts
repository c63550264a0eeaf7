/**
 * Where a member keeps what it must not forget: a write-ahead log of records, each segment opened by the
 * whole memory as of then. So the past is one segment long, and the records of a segment that is full need
 * no compaction of their own.
 */
import type { DurableState, Genesis, PaxosWrite } from '../../protocols/paxos/contract.ts'
import { applyRecord, newMember } from '../../protocols/paxos/durable.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { openLog } from '../log/index.ts'
import { decode, decodeState, encode, encodeState } from './codec.ts'

export interface PaxosStorage {
  /** What the disk held when it was opened. */
  readonly restored: DurableState
  /**
   * Makes these writes durable together, with one sync (none if none asks for it). Calls must not overlap.
   * @throws {UnavailableError} the disk is full: nothing was written.
   * @throws {OutcomeUnknownError} a write or sync failed part way. The storage refuses all after it.
   */
  write(batch: readonly PaxosWrite[]): Promise<void>
  close(): Promise<void>
}

export interface PaxosStorageOptions {
  /** A folder of its own. */
  readonly folder: string
  readonly id: string
  /** For an empty folder. */
  readonly genesis: Genesis
  /** A segment holds the whole memory and this much more. Default 1_048_576. */
  readonly segmentBytes?: number
}

/**
 * Opens a member's memory, or begins one with a new disk id.
 * @throws {CorruptDataError} damage that no crash explains. Do not start it empty under its name.
 */
export async function paxosStorage(
  runtime: Runtime,
  options: PaxosStorageOptions,
): Promise<PaxosStorage> {
  const { folder, id, genesis, segmentBytes = 1_048_576 } = options
  let mirror = newMember(runtime.random.id('disk'), genesis)
  let segment = 0
  const log = await openLog(runtime.disk, {
    ...{ folder, segmentBytes, mustExist: false },
    logId: nameId(id),
    opening: () => encodeState(mirror),
    replay({ kind, payload }) {
      if (kind === 'opening') mirror = decodeState(payload)
      else applyRecord(mirror, decode(payload))
    },
  })
  segment = log.segment()
  return {
    restored: decodeState(encodeState(mirror)),
    async write(batch) {
      const records = batch.flatMap((one) => one.records)
      await log.append(records.map(encode), { sync: batch.some(({ sync }) => sync) })
      for (const record of records) applyRecord(mirror, record)
      if (log.segment() === segment) return
      segment = log.segment()
      await log.removeBefore(segment)
    },
    close: () => log.close(),
  }
}

/** 32 hex digits that differ between members, so that one does not start on another's folder. */
function nameId(name: string): string {
  let digits = ''
  for (let part = 0; part < 4; part++) {
    let hash = 0x811c9dc5 + part * 0x9e3779b9
    for (let index = 0; index < name.length; index++) {
      hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193)
      hash ^= hash >>> 15
    }
    digits += (hash >>> 0).toString(16).padStart(8, '0')
  }
  return digits
}
