import { env } from 'node:process'
import { describe, expect, it } from 'vitest'
import { OutcomeUnknownError, UnavailableError } from '../../errors.ts'
import type { FaultKind } from '../../simulation/world.ts'
import { expectClean, simulate } from '../../testing/index.ts'
import { badDay, type Ledger, rollingRestart } from './rpc.sim.ts'

const seeds = Number(env.HOLDFAST_SEEDS ?? 200)
const faults: readonly FaultKind[] = [
  'kill',
  'pause',
  'partition',
  'one-way-partition',
  'stream-break',
  'slow-network',
]

/** Runs `work` for both procedures. */
function both(work: Ledger['add']): Pick<Ledger, 'add' | 'put'> {
  return { add: work, put: work }
}

describe('a bad day', () => {
  it('RP-2: nothing reported not-applied was executed, and nothing ran twice that must not', async () => {
    const report = await simulate({ seeds, faults, durationMs: 18_000, faultsMax: 14 }, badDay())
    expectClean(report, seeds * 0.75)
    for (const label of [
      'ok',
      'not-applied',
      'unknown, and it did happen',
      'unknown, and it did not',
      'idempotent call executed again',
    ]) {
      expect(report.reached[label], label).toBeGreaterThan(0)
    }
  })

  it('negative control: retrying what is not idempotent is found', async () => {
    const report = await simulate(
      { seeds: 30, faults, durationMs: 18_000 },
      badDay({
        disguise: (client) =>
          both((entry, options) =>
            client.add(entry, options).catch((error: unknown) => {
              if (!(error instanceof OutcomeUnknownError)) throw error
              return client.add(entry, options).catch(() => Promise.reject(error))
            }),
          ),
      }),
    )
    expect(report.failures[0]?.name).toBe('executed more than once')
  })

  it('negative control: reporting a reset as not-applied is found', async () => {
    const report = await simulate(
      { seeds: 30, faults, durationMs: 18_000 },
      badDay({
        disguise: (client) =>
          both((entry, options) =>
            client.add(entry, options).catch((error: unknown) => {
              if (error instanceof OutcomeUnknownError) throw new UnavailableError('reset')
              throw error
            }),
          ),
      }),
    )
    expect(report.failures[0]?.name).toBe('executed, yet reported not-applied')
  })
})

describe('a rolling restart', () => {
  it('RP-5: deregister first, then drain: no call fails, without retries', async () => {
    const report = await simulate(
      { seeds: Math.ceil(seeds / 10) },
      rollingRestart({ deregisterFirst: true }),
    )
    expectClean(report)
  })

  it('negative control: draining first fails calls', async () => {
    const report = await simulate({ seeds: 5 }, rollingRestart({ deregisterFirst: false }))
    expect(report.failures[0]?.name).toBe('a call failed')
  })
})
