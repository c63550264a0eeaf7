/**
 * One node of a redis-like store: a primary that answers before anybody else has what it wrote, or a
 * replica that hears of it a little later. A node that was restarted has nothing (persistence is not
 * modelled) and takes no commands until it is told its part.
 */

import { bells as newBells } from '../../drivers/cluster/link/hints.ts'
import { type Link, link } from '../../drivers/cluster/link/link.ts'
import {
  type LinkService,
  type LinkTeller,
  linkServer,
} from '../../drivers/cluster/link/link-server.ts'
import { leaseService } from '../../drivers/cluster/link/remote-leases.ts'
import {
  type LeaseRow,
  type LeaseTable,
  leaseTable,
} from '../../drivers/cluster/machine/lease-table.ts'
import { UnavailableError } from '../../errors.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { leaseHints, leaseTopic } from './lease-hints.ts'

export const redisLimits: { readonly ttlMinMs: number; readonly ttlStepMs: number } = {
  ttlMinMs: 1,
  ttlStepMs: 1,
}

/** The namespace of those who run the nodes, not of their users. */
export const adminNamespace: string = 'redis admin'

export type RedisRole = 'none' | 'primary' | 'replica'

export interface RedisInfo {
  readonly role: RedisRole
  /** A replica: of whom. */
  readonly primary: string
  /** Has it been given the whole data set, or had it from the beginning? */
  readonly complete: boolean
}

/** A row on its way to a replica, with its namespace. */
interface Copy {
  readonly namespace: string
  readonly row: Omit<LeaseRow, 'line'>
}

interface Batch {
  readonly whole: boolean
  readonly copies: readonly Copy[]
}

const tickMs = 100

export async function redisNode(
  runtime: Runtime,
  options: { readonly address: string; readonly lagMs: number },
): Promise<void> {
  const { address, lagMs } = options
  const tables = new Map<string, LeaseTable>()
  const replicas = new Set<(copy: Copy) => void>()
  const bells = newBells()
  let role: RedisRole = 'none'
  let primary = ''
  let complete = false
  let upstream: Link | undefined

  // Expiry is on the node's wall clock, as in Redis.
  const nowMs = (): number => Math.floor(runtime.clock.wallMs())

  function tableOf(namespace: string): LeaseTable {
    const known = tables.get(namespace)
    if (known !== undefined) return known
    const copy = (row: LeaseRow): void => {
      for (const replicate of replicas) replicate({ namespace, row })
    }
    const table = leaseTable({
      ...redisLimits,
      fifo: false,
      forgetsFree: false,
      namesMax: Number.MAX_SAFE_INTEGER,
      nextToken: (last) => last + 1n,
      changed(row) {
        bells.ring(leaseTopic(row.name))
        copy(row)
      },
      renewed: copy,
    })
    tables.set(namespace, table)
    return table
  }

  async function asPrimary<Value>(command: () => Value): Promise<Value> {
    if (role === 'primary') return command()
    throw new UnavailableError(`READONLY ${address} is not the primary`, {
      details: { moved: true },
    })
  }

  /** Everything first, then what changes, a little late and in order. */
  function replicate({ news }: LinkTeller): () => void {
    const copies = [...tables].flatMap(([namespace, table]) =>
      [...table.picture()].map((row) => ({ namespace, row })),
    )
    news({ whole: true, copies } satisfies Batch)
    let open = true
    const later = (copy: Copy): void => {
      const tell = (): void => {
        if (open) news({ whole: false, copies: [copy] } satisfies Batch)
      }
      runtime.timers.schedule(lagMs, tell)
    }
    replicas.add(later)
    return () => {
      open = false
      replicas.delete(later)
    }
  }

  function take({ whole, copies }: Batch): void {
    if (whole) for (const table of tables.values()) table.clear()
    for (const { namespace, row } of copies) {
      tableOf(namespace).load({ ...row, line: new Map() })
    }
    complete = true
  }

  function followPrimary(from: Link): void {
    if (upstream !== from || role !== 'replica') return
    from.follow('replicate', [], {
      news: (batch) => upstream === from && take(batch as Batch),
      over: () => runtime.timers.schedule(tickMs, () => followPrimary(from)),
    })
  }

  const admin: LinkService = {
    calls: {
      info: async (): Promise<RedisInfo> => ({ role, primary, complete }),
      async promote() {
        upstream?.close()
        upstream = undefined
        role = 'primary'
        complete = true
      },
      async replicaOf(of: string) {
        upstream?.close()
        role = 'replica'
        primary = of
        complete = false
        upstream = link(runtime, { namespace: adminNamespace, address: () => of })
        followPrimary(upstream)
      },
    },
    sources: { replicate },
  }

  function user(namespace: string): LinkService {
    const table = tableOf(namespace)
    return leaseService({
      acquire: (request) => asPrimary(() => table.acquire(request, nowMs())),
      renew: (lease, ttlMs) => asPrimary(() => table.renew(lease, ttlMs, nowMs())),
      release: (lease) => asPrimary(() => table.release(lease, nowMs())),
      withdraw: (name, attemptId) => asPrimary(() => table.withdraw(name, attemptId)),
      list: (prefix, page) => asPrimary(() => table.list(prefix, page, nowMs())),
      evict: (name) => asPrimary(() => table.evict(name, nowMs())),
      watch: (name, wake) => leaseHints(runtime, { bells, table, nowMs }, name, wake),
    })
  }

  await linkServer(runtime, {
    address,
    service: async (namespace) => (namespace === adminNamespace ? admin : user(namespace)),
  })
  await new Promise<never>(() => {})
}
