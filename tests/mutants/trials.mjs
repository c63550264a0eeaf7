/**
 * The trials that mutants are put before: shipped scenarios, as they are, named by their test. A
 * scenario must find a mutant by a judge, at a seed. The simulator itself is the ground on which
 * scenarios stand; its own tests judge it, and there a failed expectation is the finding. Two bugs that no
 * scenario reaches within its seeds are left to unit tests, `catalog` and `keys`, and shown as such.
 */
const scenario = (file, name) => ({ kind: 'scenario', file, name })
const test = (file, name) => ({ kind: 'test', file, name })

export const trials = {
  lease: scenario('src/kernels/lease.sim.test.ts', 'no old token is accepted'),
  eviction: scenario('src/kernels/lease.sim.test.ts', 'an evicted holder is told'),
  decision: scenario('src/kernels/decision.sim.test.ts', 'one outcome, no state lost'),
  position: scenario('src/kernels/position.sim.test.ts', 'never skipped'),
  lock: scenario('src/coordination/lock.sim.test.ts', 'no overlap, no money lost'),
  queue: scenario('src/messaging/queue.sim.test.ts', 'no loss, no phantom'),
  leases: scenario('src/drivers/embedded/lease-store.sim.test.ts', 'one holder and growing'),
  registry: scenario('src/drivers/embedded/registry.sim.test.ts', 'nothing missed, stolen'),
  work: scenario('src/drivers/embedded/work-store.sim.test.ts', 'embedded work under faults'),
  saga: scenario('src/transactions/saga/saga.sim.test.ts', 'money is conserved'),
  idempotency: scenario('src/transactions/idempotency.sim.test.ts', 'one answer and one effect'),
  badDay: scenario('src/services/rpc/rpc.sim.test.ts', 'nothing reported not-applied'),
  rollingRestart: scenario('src/services/rpc/rpc.sim.test.ts', 'no call fails, without retries'),
  discovery: scenario('src/services/discovery/discovery.sim.test.ts', 'lists stay sane'),
  brownOut: scenario('src/resilience/brown-out.sim.test.ts', 'a shared budget bounds'),
  catalog: test('src/services/discovery/catalog.test.ts', ''),
  keys: test('src/transactions/idempotency.test.ts', ''),
  election: test('src/simulation/node/planted-bug.test.ts', 'a planted bug'),
  lifeAndDeath: test('src/simulation/node/life-and-death.test.ts', ''),
  network: test('src/simulation/node/network.test.ts', ''),
  counting: test('src/simulation/node/counting.test.ts', ''),
  sql: test('src/simulation/node/sql.test.ts', ''),
  clocks: test('src/simulation/node/clocks.test.ts', ''),
  searching: test('src/verification/linearizability', ''),
  containers: test('src/verification/containers', ''),
  isolation: test('src/verification/isolation', ''),
  checks: test('src/verification/checks', ''),
  determinism: test('src/simulation/node/determinism.test.ts', ''),
}
