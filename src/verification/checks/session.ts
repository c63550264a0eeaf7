/**
 * What a client may expect of its own session, whatever others do (Terry et al., 1994). Versions of a key
 * grow in the order in which the store applied its writes.
 */
import { type CheckReport, findings } from './findings.ts'

export interface SessionStep {
  readonly process: number | string
  readonly type: 'read' | 'write'
  readonly key: string
  /** Of a write, the version it made; of a read, the version it saw, 0 if none. */
  readonly version: number
}

export type SessionFinding =
  | 'read your writes'
  | 'monotonic reads'
  | 'monotonic writes'
  | 'writes follow reads'

/**
 * Judged key by key. (Writes that must follow a read of another key need the order between keys:
 * `checkCausal` judges that.)
 * @param history steps in the order in which each process took them; open ones left out
 */
export function checkSession(history: readonly SessionStep[]): CheckReport<SessionFinding> {
  const found = findings<SessionFinding>()
  const sessions = new Map<number | string, Map<string, { read: number; written: number }>>()
  for (const { process, type, key, version } of history) {
    const session = sessions.get(process) ?? new Map<string, { read: number; written: number }>()
    sessions.set(process, session)
    const last = session.get(key) ?? { read: 0, written: 0 }
    session.set(key, last)
    const who = `process ${process}, "${key}"`
    if (type === 'read') {
      if (version < last.written) {
        found.add('read your writes', `${who}: wrote ${last.written}, then read ${version}`)
      }
      if (version < last.read) {
        found.add('monotonic reads', `${who}: read ${last.read}, then ${version}`)
      }
      last.read = Math.max(last.read, version)
      continue
    }
    if (version <= last.written) {
      found.add('monotonic writes', `${who}: wrote ${last.written}, then ${version}`)
    }
    if (version <= last.read) {
      found.add('writes follow reads', `${who}: read ${last.read}, then wrote ${version}`)
    }
    last.written = Math.max(last.written, version)
  }
  return found.report(history.length > 0)
}
