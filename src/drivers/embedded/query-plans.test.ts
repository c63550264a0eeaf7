/**
 * The cost of a question must not grow with what is stored: each finds its rows by an index.
 */
import { describe, expect, it } from 'vitest'
import { loadSqlite } from '../../runtime/node/index.ts'
import type { SqlStatement } from '../../runtime/sql.ts'
import * as leases from './lease-statements.ts'
import { embeddedMigrations } from './migrations.ts'
import * as registry from './registry-statements.ts'

const database = loadSqlite().open(':memory:')
for (const script of embeddedMigrations) database.exec(script)

function stepsOf({ sql, parameters = [] }: SqlStatement): string[] {
  return database
    .prepare(`EXPLAIN QUERY PLAN ${sql}`)
    .run(parameters)
    .rows.map(({ detail }) => String(detail))
}

/** A scan of a stored table; scanning what a subquery just found is no scan. */
const tableScan = /^SCAN (holdfast_|[a-z]$)/

const scope = { namespace: 'n', boot: 'boot', nowMs: 1 }
const lease = { name: 'a', token: 1n, attemptId: 'x' }
const range = { from: 'a', before: 'b' }

const questions: Readonly<Record<string, readonly SqlStatement[]>> = {
  acquire: leases.acquireStatements(scope, {
    ...lease,
    holder: '',
    ttlMs: 100,
    queueForMs: 100,
    sweep: true,
  }),
  renew: [leases.renewStatement(scope, lease, 100)],
  release: [leases.releaseStatement(scope, lease)],
  evict: [leases.evictStatement(scope, 'a')],
  withdraw: [leases.withdrawStatement('n', 'a', 'x')],
  'list leases': [leases.listStatement(scope, { ...range, after: '' }, 10)],
  'watch a lease': [leases.outlookStatement(scope, 'a')],
  'open a session': registry.openSessionStatements('n', { id: 's', owner: '', expiresMs: 1 }),
  'keep a session alive': [registry.keepAliveStatement('n', 's', 1)],
  'close a session': registry.closeSessionStatements('n', 's', 'expired'),
  sweep: registry.sweepStatements('n', 1),
  register: registry.registerStatements('n', { sessionId: 's', key: 'a', value: '' }),
  deregister: registry.deregisterStatements('n', 's', 'a'),
  stand: [registry.standStatement('n')],
  entries: [registry.entriesStatement('n', range)],
  events: [registry.eventsStatement('n', range, { after: 1n, limit: 10 })],
}

describe('embedded leases and registry: plans', () => {
  for (const [question, statements] of Object.entries(questions)) {
    it(`LD-5, G-11: "${question}" scans no table`, () => {
      for (const statement of statements) {
        for (const step of stepsOf(statement)) expect(step, statement.sql).not.toMatch(tableScan)
      }
    })
  }

  it('G-14: a scan would be seen', () => {
    expect(stepsOf({ sql: 'SELECT * FROM holdfast_lease AS l' })[0]).toMatch(tableScan)
    expect(stepsOf({ sql: 'SELECT * FROM holdfast_lease' })[0]).toMatch(tableScan)
  })
})
