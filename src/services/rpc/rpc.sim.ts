/**
 * Callers and servers on a bad day: servers are killed and paused, connections break, machines lose sight
 * of each other. Every execution is written down outside the world, every outcome as the caller was told.
 *
 * The judge asks two things. Did a call that was reported `not-applied` ever execute? And did a call of
 * a procedure that is not idempotent execute twice? Whatever else happens, both must be never.
 */
import { outcomeOf } from '../../errors.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import type { Scenario } from '../../simulation/simulate.ts'
import type { World } from '../../simulation/world.ts'
import { changingSource, endpointAt, plainRetry, rotation } from './fixture.sim.ts'
import {
  type Procedure,
  procedure,
  type RpcClient,
  rpcClient,
  rpcServer,
  type Service,
  service,
} from './index.ts'

const ledger: Service<{
  readonly add: Procedure<Entry, number>
  readonly put: Procedure<Entry, number>
}> = service('ledger', {
  version: 1,
  procedures: {
    add: procedure<Entry, number>(),
    put: procedure<Entry, number>({ idempotent: true }),
  },
})

/** `id` is unique for each call; `pad` makes some requests large. */
export interface Entry {
  readonly id: string
  readonly ms: number
  readonly pad: string
}

export type Ledger = RpcClient<(typeof ledger)['procedures']>

export interface TrialOptions {
  /** Where a test plants its bug: what stands between the workload and the real client. */
  readonly disguise?: (client: Ledger) => Pick<Ledger, 'add' | 'put'>
  readonly callsPerClient?: number
}

interface Record {
  executions: number
  readonly idempotent: boolean
  outcome: 'ok' | 'not-applied' | 'unknown' | 'invalid' | 'pending'
}

const servers = ['s1', 's2', 's3']
const clients = ['c1', 'c2']

export function badDay(options: TrialOptions = {}): Scenario {
  const { disguise = (client) => client, callsPerClient = 24 } = options
  return (world) => {
    const records = new Map<string, Record>()
    for (const name of servers) {
      world.machine(name).process(name, (runtime) => serveLedger(runtime, records, world))
    }
    for (const name of clients) {
      world.client(name, async (runtime) => {
        const client = ledgerClient(runtime)
        const caller = disguise(client)
        for (let n = 0; n < callsPerClient; n++) {
          await Promise.all([0, 1, 2].map((lane) => callOnce(caller, runtime, records, n, lane)))
          await sleep(runtime.timers, runtime.random.fraction('pause') * 1_500)
        }
        client.close()
      })
    }
    judge(world, records)
  }
}

async function serveLedger(
  runtime: Runtime,
  records: Map<string, Record>,
  world: World,
): Promise<void> {
  const server = await rpcServer(runtime, {
    address: `${runtime.identity.machine}:7000`,
    limits: { concurrencyMax: 4, queueMax: 2 },
    keepalive: { intervalMs: 2_000, timeoutMs: 2_000 },
  })
  const execute = async ({ id, ms }: Entry): Promise<number> => {
    const record = records.get(id)
    if (record === undefined) world.fail('executed what nobody asked for', id)
    else record.executions += 1
    await sleep(runtime.timers, ms)
    return ms
  }
  server.serve(ledger, { add: execute, put: execute })
  await new Promise(() => {})
}

function ledgerClient(runtime: Runtime): Ledger {
  return rpcClient(runtime, ledger, {
    source: changingSource(servers.map((name) => endpointAt(`${name}:7000`))),
    balancer: rotation(),
    timeoutMs: 4_000,
    retry: plainRetry(3, 50),
    keepalive: { intervalMs: 2_000, timeoutMs: 2_000 },
    connectTimeoutMs: 1_000,
  })
}

async function callOnce(
  caller: Pick<Ledger, 'add' | 'put'>,
  runtime: Runtime,
  records: Map<string, Record>,
  n: number,
  lane: number,
): Promise<void> {
  const id = `${runtime.identity.machine}/${n}/${lane}`
  const idempotent = lane === 0
  const record: Record = { executions: 0, idempotent, outcome: 'pending' }
  records.set(id, record)
  const chance = runtime.random.fraction('workload')
  const entry = { id, ms: Math.floor(chance * 800), pad: chance < 0.08 ? 'x'.repeat(60_000) : '' }
  const stop = new AbortController()
  if (chance > 0.9) runtime.timers.schedule(chance * 500, () => stop.abort())
  const work = idempotent ? caller.put : caller.add
  record.outcome = await work(entry, { signal: stop.signal }).then(() => 'ok' as const, outcomeOf)
}

function judge(world: World, records: ReadonlyMap<string, Record>): void {
  world.afterHealing('no call did what its caller was told it did not', async (runtime) => {
    await sleep(runtime.timers, 10_000)
    for (const [id, { executions, idempotent, outcome }] of records) {
      if (outcome === 'pending') world.fail('a call never ended', id)
      if (outcome === 'not-applied' && executions > 0) {
        world.fail('executed, yet reported not-applied', `${id} ran ${executions} times`)
      }
      if (outcome === 'ok' && executions === 0) world.fail('answered, yet never executed', id)
      if (!idempotent && executions > 1) {
        world.fail('executed more than once', `${id} ran ${executions} times`)
      }
      world.reached(outcome)
      if (executions > 1) world.reached('idempotent call executed again')
      if (outcome === 'unknown' && executions === 1) world.reached('unknown, and it did happen')
      if (outcome === 'unknown' && executions === 0) world.reached('unknown, and it did not')
    }
  })
}

/**
 * Three servers are replaced one after another while calls go on: out of the list first, drained, ended,
 * started anew, back in the list. Without a single retry no call may fail.
 */
export function rollingRestart(options: { readonly deregisterFirst: boolean }): Scenario {
  return (world) => {
    const endpoints = servers.map((name) => endpointAt(`${name}:7000`))
    const listed = changingSource(endpoints)
    let restarted = 0
    for (const [index, name] of servers.entries()) {
      world.machine(name).process(name, async (runtime) => {
        for (let life = 0; life < 3; life++) {
          const server = await rpcServer(runtime, { address: `${name}:7000` })
          const execute = async ({ ms }: Entry): Promise<number> => {
            await sleep(runtime.timers, ms)
            return ms
          }
          server.serve(ledger, { add: execute, put: execute })
          if (life > 0)
            listed.set([...listed.endpoints(), endpointAt(`${name}:7000`, `${name}.${life}`)])
          await sleep(runtime.timers, 2_000 + 3_000 * index)
          // Looked at anew each time: others leave and return while this one drains.
          const leave = (): void =>
            listed.set(listed.endpoints().filter(({ address }) => address !== `${name}:7000`))
          if (options.deregisterFirst) {
            leave()
            await sleep(runtime.timers, 200)
          }
          await server.drain({ timeoutMs: 5_000 })
          leave()
          restarted += 1
        }
        const last = await rpcServer(runtime, { address: `${name}:7000` })
        last.serve(ledger, { add: async ({ ms }) => ms, put: async ({ ms }) => ms })
        listed.set([...listed.endpoints(), endpointAt(`${name}:7000`, `${name}.last`)])
        await new Promise(() => {})
      })
    }
    world.client('caller', async (runtime) => {
      await sleep(runtime.timers, 500)
      const client = rpcClient(runtime, ledger, {
        source: listed,
        balancer: rotation(),
        timeoutMs: 3_000,
      })
      for (let n = 0; restarted < 9; n++) {
        // Some outlast the moment between leaving the list and the drain: those it must finish.
        const entry = { id: `${n}`, ms: n % 597, pad: n % 50 === 0 ? 'x'.repeat(200_000) : '' }
        void client.add(entry).catch((error: Error) => {
          world.fail('a call failed', `${n}: ${error.message}`)
        })
        await sleep(runtime.timers, runtime.random.fraction('pause') * 20)
      }
      await sleep(runtime.timers, 4_000)
      client.close()
    })
  }
}
