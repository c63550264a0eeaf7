/**
 * The embedded registry, served to other machines. Its own sessions are kept alive by the process that
 * opened them; here that is the client, so the server only writes down what the client says, with the
 * driver's own statements.
 */

import type { ServedRegistry } from '../../drivers/cluster/link/remote-registry.ts'
import type { EmbeddedStores } from '../../drivers/embedded/index.ts'
import {
  closeSessionStatements,
  keepAliveStatement,
  openSessionStatements,
} from '../../drivers/embedded/registry-statements.ts'
import { isHoldfastError, LimitExceededError, UnavailableError } from '../../errors.ts'
import { requireInteger, requireLength } from '../../ports/arguments.ts'
import type { Session } from '../../ports/registry.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import type { SqlFile } from '../../runtime/sql.ts'

export function servedSessions(
  runtime: Runtime,
  file: SqlFile,
  namespace: string,
  registry: EmbeddedStores['registry'],
): ServedRegistry {
  const endOf = (ttlMs: number): number => runtime.clock.monotonicMs() + ttlMs

  /** The driver needs only its id and that its own side has not ended it: that is the client's word. */
  const named = (id: string): Session => ({
    id,
    incarnation: 0n,
    lost: new AbortController().signal,
    validUntilMs: () => 0,
    async close() {},
  })

  return {
    async openSession({ ttlMs, owner }) {
      requireInteger('ttlMs', ttlMs, registry.capabilities.sessionTtlMinMs, 3_600_000)
      requireLength('owner', owner, 200)
      const id = runtime.random.id('served-session')
      const statements = openSessionStatements(namespace, { id, owner, expiresMs: endOf(ttlMs) })
      const { results, refusedAt } = await file.run({ statements, durability: 'relaxed' })
      if (refusedAt !== undefined) throw new LimitExceededError('the registry is full of sessions')
      return { id, incarnation: BigInt(String(results[0]?.rows[0]?.incarnation)) }
    },
    async keepAlive(id, ttlMs) {
      const statements = [keepAliveStatement(namespace, id, endOf(ttlMs))]
      const { results } = await file.run({ statements, durability: 'relaxed' })
      return results[0]?.changes === 1
    },
    async closeSession(id) {
      const statements = closeSessionStatements(namespace, id, 'deregistered')
      await file.run({ statements, durability: 'relaxed' })
    },
    register: (id, key, value) => registry.register(named(id), key, value),
    deregister: (id, key) => registry.deregister(named(id), key),
    list: (prefix) => registry.list(prefix),
    watch(prefix, fromRevision, teller) {
      const stopped = new AbortController()
      const { signal } = stopped
      const from = fromRevision === undefined ? {} : { fromRevision }
      runtime.tasks.spawn('served registry watch', async () => {
        try {
          for await (const change of registry.watch(prefix, { signal, ...from })) {
            teller.news(change)
          }
        } catch (error) {
          if (!isHoldfastError(error)) throw error
          teller.over(new UnavailableError(`the registry is out of reach: ${error.message}`))
        }
      })
      return () => stopped.abort()
    },
  }
}
