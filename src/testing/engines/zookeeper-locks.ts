/**
 * Lines of ephemeral sequential nodes, one line per name, as in ZooKeeper's recipe for locks: the node that
 * was made first holds the name, and each node is bound to the session that made it. Who holds is told the
 * number of the write that made its node (`czxid`), which grows with every node: that is the fence.
 */
import { type OrderedMap, orderedMap } from '../../drivers/cluster/machine/ordered-map.ts'
import { LimitExceededError } from '../../errors.ts'
import { requireInteger, requireLength, requireText } from '../../ports/arguments.ts'
import type { LeaseInfo, LeaseRequest } from '../../ports/lease-store.ts'

export interface LockNode {
  readonly czxid: bigint
  readonly session: string
  readonly attemptId: string
  readonly holder: string
  readonly ttlMs: number
  /** Has its owner been told that it holds? */
  granted: boolean
  readonly client: string
  /** The number of the client's question that asked for it last. */
  order: number
}

export interface JoinRequest extends LeaseRequest {
  readonly session: string
  /** Names the client over all of its sessions, and its questions in their order. */
  readonly client: string
  readonly order: number
}

export type DropRequest = Pick<JoinRequest, 'client' | 'attemptId' | 'order'>

export interface ZookeeperLocks {
  /** @returns the node that holds, if it is this attempt's. @throws {LimitExceededError} */
  join(request: JoinRequest, zxid: bigint): LockNode | undefined
  /** The granted node of this lease. */
  held(name: string, token: bigint, attemptId: string): LockNode | undefined
  release(name: string, token: bigint, attemptId: string): boolean
  /** Takes the attempt out of the line, unless it holds. */
  withdraw(name: string, attemptId: string): void
  /** Takes away what the client asked for up to a question. @returns whether there was anything. */
  drop(name: string, of: DropRequest): boolean
  evict(name: string): boolean
  endSession(session: string): void
  list(
    prefix: string,
    page: { readonly after?: string; readonly limit: number },
  ): readonly LeaseInfo[]
}

export const zookeeperLimits: { readonly ttlMinMs: number; readonly ttlStepMs: number } = {
  ttlMinMs: 2_000,
  ttlStepMs: 1,
}
export const ttlMaxMs = 86_400_000
const lineMax = 1_000

/** @param changed the line of this name moved. */
export function zookeeperLocks(changed: (name: string) => void): ZookeeperLocks {
  const lines: OrderedMap<readonly LockNode[]> = orderedMap()
  const lineOf = (name: string): readonly LockNode[] => lines.get(name) ?? []

  function store(name: string, line: readonly LockNode[]): void {
    if (line.length === 0) lines.delete(name)
    else lines.set(name, line)
    changed(name)
  }

  function remove(name: string, isIt: (node: LockNode, place: number) => boolean): boolean {
    const line = lineOf(name)
    const left = line.filter((node, place) => !isIt(node, place))
    if (left.length === line.length) return false
    store(name, left)
    return true
  }

  const isHeldBy = (token: bigint, attemptId: string) => (node: LockNode, place: number) =>
    place === 0 && node.granted && node.czxid === token && node.attemptId === attemptId

  return {
    join(request, zxid) {
      const { name, attemptId, session, client, order, ttlMs, queueForMs } = request
      const line = lineOf(name)
      let node = line.find((other) => other.attemptId === attemptId)
      if (node === undefined) {
        if (line.length > 0 && queueForMs === undefined) return undefined
        if (line.length > lineMax) throw new LimitExceededError(`${lineMax} wait for "${name}"`)
        const { holder = '' } = request
        const of = { session, client, attemptId, holder }
        node = { ...of, czxid: zxid, ttlMs, granted: false, order }
        store(name, [...line, node])
      }
      if (node.client === client) node.order = Math.max(node.order, order)
      if (lineOf(name)[0] !== node) return undefined
      node.granted = true
      return node
    },
    held: (name, token, attemptId) => lineOf(name).find(isHeldBy(token, attemptId)),
    release: (name, token, attemptId) => remove(name, isHeldBy(token, attemptId)),
    withdraw(name, attemptId) {
      remove(name, (node) => node.attemptId === attemptId && !node.granted)
    },
    drop: (name, { client, attemptId, order }) =>
      remove(
        name,
        (node) => node.client === client && node.attemptId === attemptId && node.order <= order,
      ),
    evict: (name) => remove(name, (node, place) => place === 0 && node.granted),
    endSession(session) {
      const names = [...lines.from('')]
        .filter(([, line]) => line.some((node) => node.session === session))
        .map(([name]) => name)
      for (const name of names) remove(name, (node) => node.session === session)
    },
    list(prefix, { after = '', limit }) {
      requireLength('prefix', prefix, 512)
      requireInteger('limit', limit, 1, 1_000)
      const infos: LeaseInfo[] = []
      for (const [name, line] of lines.from(after > prefix ? after : prefix)) {
        if (!name.startsWith(prefix) || infos.length === limit) break
        const [first] = line
        if (name <= after || first?.granted !== true) continue
        const { czxid: token, holder, ttlMs: remainingMs } = first
        infos.push({ name, token, holder, remainingMs, waiters: line.length - 1 })
      }
      return infos
    },
  }
}

/** @throws {InvalidArgumentError} */
export function requireLease(request: LeaseRequest): void {
  const { name, ttlMs, attemptId, holder = '', queueForMs } = request
  requireText('name', name, 512)
  requireText('attemptId', attemptId, 64)
  requireTtl(ttlMs)
  requireLength('holder', holder, 200)
  if (queueForMs !== undefined) requireInteger('queueForMs', queueForMs, 1, 3_600_000)
}

/** @throws {InvalidArgumentError} */
export function requireTtl(ttlMs: number): void {
  requireInteger('ttlMs', ttlMs, zookeeperLimits.ttlMinMs, ttlMaxMs)
}
