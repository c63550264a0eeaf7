import { describe, expect, it } from 'vitest'
import type { WorkStore } from '../../ports/work-store.ts'
import { expectClean, simulate } from '../index.ts'
import { brokerEngine, flawedBroker } from './broker-engine.ts'
import { embeddedEngine } from './embedded-engine.ts'
import { engineFaults } from './engine-leases.sim.ts'
import { type EngineWorkTrial, engineWorkTrial } from './engine-work.sim.ts'

const durationMs = 12_000
const options = { faults: engineFaults, durationMs } as const

const failOver: NonNullable<EngineWorkTrial['strike']> = (engine) => {
  if ('failOver' in engine && typeof engine.failOver === 'function') engine.failOver()
}

describe('work, broker-like, under faults', () => {
  it('QU-1, QU-2, QU-6, G-1: nothing is lost and nothing settled comes back, over 15 seeds', async () => {
    const trial = engineWorkTrial({ engine: brokerEngine, strike: failOver })
    const report = await simulate({ ...options, seeds: 15 }, trial)
    expectClean(report, 7)
    for (const label of ['much was done', 'a message was redelivered', 'messages were reordered']) {
      expect(report.reached[label], label).toBe(15)
    }
    expect(report.reached['an outcome was unknown']).toBeGreaterThan(0)
    expect(report.reached['a publication was repeated']).toBeGreaterThan(0)
    expect(report.reached['a settlement was lost']).toBeGreaterThan(0)
  })

  it('G-14: the judge finds a broker that answers before the delivery is settled', async () => {
    const engine: EngineWorkTrial['engine'] = (world) =>
      flawedBroker(world, { flaw: 'settles-early' })
    const trial = engineWorkTrial({ engine, strike: failOver })
    const report = await simulate({ ...options, seeds: 20 }, trial)
    expect(report.failures[0]?.name).toBe('twice')
  })

  it('G-14: the judge finds a broker that loses what it should redeliver', async () => {
    const engine: EngineWorkTrial['engine'] = (world) =>
      flawedBroker(world, { flaw: 'loses-redelivery' })
    const report = await simulate({ ...options, seeds: 20 }, engineWorkTrial({ engine }))
    expect(report.failures[0]?.name).toBe('loss')
  })
})

describe('work, embedded behind a network, under faults', () => {
  it('QU-1, QU-2, KO-1, G-1: nothing is lost and keys keep their order, over 6 seeds', async () => {
    const trial = engineWorkTrial({ engine: embeddedEngine })
    const report = await simulate({ ...options, seeds: 6 }, trial)
    expectClean(report, 3)
    expect(report.reached['much was done']).toBe(6)
    expect(report.reached['an outcome was unknown']).toBeGreaterThan(0)
  })

  it('G-14: the judge finds a client that takes an unknown publication for a stored one', async () => {
    const broken = (store: WorkStore): WorkStore => ({
      ...store,
      publish: (queue, messages) =>
        store.publish(queue, messages).catch(() => messages.map(() => 'stored' as const)),
    })
    const trial = engineWorkTrial({ engine: embeddedEngine, broken })
    const report = await simulate({ ...options, seeds: 20 }, trial)
    expect(report.failures[0]?.name).toBe('loss')
  })
})
