/** Records over a link: nothing to translate but the calls. */
import { requireText } from '../../../ports/arguments.ts'
import type { RecordCapabilities, RecordStore, StoredRecord } from '../../../ports/record-store.ts'
import type { Runtime } from '../../../runtime/runtime.ts'
import { followHints } from './hints.ts'
import type { Link } from './link.ts'
import type { LinkService } from './link-server.ts'

/** What a model of a record store does on the server's side. */
export type ServedRecords = Omit<RecordStore, 'capabilities' | 'put'>

export function recordService(records: ServedRecords): LinkService {
  return {
    calls: {
      'records.get': records.get,
      'records.putAll': records.putAll,
      'records.delete': records.delete,
      'records.due': records.due,
      'records.list': records.list,
      'records.increment': records.increment,
    },
    sources: {
      'records.watch': ({ news }, space: string) => records.watch(space, () => news(0)),
    },
  }
}

export function remoteRecords(
  runtime: Runtime,
  link: Link,
  capabilities: RecordCapabilities,
): RecordStore {
  const putAll: RecordStore['putAll'] = (writes) =>
    link.call<readonly bigint[] | undefined>('records.putAll', writes)
  return {
    capabilities,
    get: (space, key) => link.call<StoredRecord | undefined>('records.get', space, key),
    put: async (write) => (await putAll([write]))?.[0],
    putAll,
    delete: (space, key, expected) => link.call<boolean>('records.delete', space, key, expected),
    due: (space, limit) => link.call<readonly StoredRecord[]>('records.due', space, limit),
    list: (space, page) => link.call<readonly StoredRecord[]>('records.list', space, page),
    increment: (space, key, by) => link.call<bigint>('records.increment', space, key, by),
    watch(space, wake) {
      requireText('space', space, 100)
      return followHints(runtime, link, 'records.watch', [space], wake)
    },
  }
}
