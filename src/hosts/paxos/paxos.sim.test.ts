import { env, stdout } from 'node:process'
import { describe, expect, it } from 'vitest'
import type { FaultKind, SimulateOptions } from '../../simulation/world.ts'
import { expectClean, simulate } from '../../testing/index.ts'
import { paxosTrial, paxosTrialFaults } from './paxos.sim.ts'
import { plantedTrials } from './planted-bugs.sim.ts'

const seeds = Number(env.HOLDFAST_SEEDS ?? 60)
const options: SimulateOptions = {
  ...{ faults: paxosTrialFaults, durationMs: 6_000, faultsMax: 24, livenessMs: 60_000 },
}

describe('Paxos on trial', () => {
  it('PX-1, PX-3, PX-5: one copy, one row, each command once, and it goes on', async () => {
    const report = await simulate({ ...options, seeds }, paxosTrial())
    expectClean(report, seeds * 0.75)
    for (const label of [
      'a hole was filled',
      'a snapshot was installed',
      'a ballot was outbid',
      'a leader was cut off',
      'the leader changed',
      'members were changed',
      'stopped: disk',
      'stopped: removed',
      'unknown',
      'killed soon after an answer',
    ]) {
      expect(report.reached[label], label).toBeGreaterThan(0)
    }
  })

  it('PX-4: the same with five members, and a small quorum for commands', async () => {
    const members = ['a', 'b', 'c', 'd', 'e']
    const trial = paxosTrial({ members, quorums: { prepare: 4, accept: 2 }, changes: 0 })
    expectClean(await simulate({ ...options, seeds: Math.ceil(seeds / 6) }, trial))
  })
})

/**
 * Where to begin, a little before the first seed that finds it, counted from 1, so that nobody has to wait.
 * What takes more than 300 seeds is found by searching all orders instead: `multi-paxos.test.ts`.
 */
const firstSeeds: Readonly<Record<string, number>> = {
  'PX-1: an acceptance is not persisted': 70,
  'PX-2: own value, though one was accepted': 1,
  'PX-2: acceptances of other ballots count': 1,
  'PX-3: a leader reads without asking whether it still leads': 70,
  'PX-4: quorums that miss each other': 1,
  'PX-4: a member that lost its disk takes part': 180,
  'PX-5: what was done is not in the snapshot': 10,
}

describe('negative controls: each bug is found', () => {
  it.each(Object.entries(firstSeeds))('%s', async (name, firstSeed) => {
    const trial = plantedTrials[name]
    if (trial === undefined) throw new Error('there is no such bug')
    const faults: readonly FaultKind[] = name.includes('lost its disk')
      ? [...paxosTrialFaults, 'machine-loss']
      : paxosTrialFaults
    const report = await simulate({ ...options, faults, firstSeed, seeds: 120 }, paxosTrial(trial))
    const [failure] = report.failures
    stdout.write(`${name}: seed ${failure?.seed}, ${failure?.name}\n`)
    expect(['agreement', 'not linearizable']).toContain(failure?.name)
  })
})
