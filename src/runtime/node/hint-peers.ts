/**
 * The table that names who wants hints. It lives in the file itself, so that whoever can commit can
 * also find the others, and a file that is copied or restored carries at worst some dead addresses.
 */
import type { SqlStatement } from '../sql.ts'
import type { SyncDatabase, SyncStatement } from '../sqlite.ts'
import { peersMax } from './hint-sockets.ts'

const REGISTER =
  'INSERT OR IGNORE INTO holdfast_peer (address, version, pid, boot) VALUES (?1, 1, ?2, ?3)'
const OTHERS =
  'SELECT address FROM holdfast_peer WHERE boot = ?1 AND version = 1 ORDER BY address LIMIT ?2'

export interface HintPeers {
  /** The statements that enter this process and sweep what an earlier boot left. */
  registration(address: string): readonly SqlStatement[]
  removal(address: string): readonly SqlStatement[]
  /**
   * Everyone's address, from inside a transaction. It also writes our own again, should somebody who
   * could not reach us have removed it: without that we would be deaf until the next start.
   */
  addresses(database: SyncDatabase, own: string | undefined, hinting: boolean): readonly string[]
}

export function hintPeers(bootId: string, pid: number): HintPeers {
  let prepared:
    | {
        readonly database: SyncDatabase
        readonly register: SyncStatement
        readonly others: SyncStatement
      }
    | undefined

  const row = (address: string) => [address, BigInt(pid), bootId] as const

  return {
    registration: (address) => [
      { sql: 'DELETE FROM holdfast_peer WHERE boot <> ?1', parameters: [bootId] },
      { sql: REGISTER, parameters: row(address) },
    ],
    removal: (address) => [
      { sql: 'DELETE FROM holdfast_peer WHERE address = ?1', parameters: [address] },
    ],
    addresses(database, own, hinting) {
      if (own === undefined && !hinting) return []
      if (prepared?.database !== database) {
        const register = database.prepare(REGISTER)
        prepared = { database, register, others: database.prepare(OTHERS) }
      }
      if (own !== undefined) prepared.register.run(row(own))
      if (!hinting) return []
      const { rows } = prepared.others.run([bootId, BigInt(peersMax)])
      return rows.map(({ address }) => String(address))
    },
  }
}
