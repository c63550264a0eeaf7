import { simulate } from 'holdfast/testing'
import { describe, expect, it } from 'vitest'
import { planted } from './planted.sim.ts'
import { options, shopTrial } from './scenario.ts'

describe('planted bugs are found', () => {
  for (const [bug, { verdict, ...variant }] of Object.entries(planted)) {
    it(bug, async () => {
      const trial = shopTrial({ rough: true, variant })
      const { failures } = await simulate({ ...options, seeds: 60, livenessMs: 60_000 }, trial)
      expect(failures[0]?.name).toMatch(verdict)
    }, 180_000)
  }

  it('and nothing is found where nothing is planted', async () => {
    const trial = shopTrial({ rough: true })
    const { failures } = await simulate({ ...options, seeds: 5, livenessMs: 60_000 }, trial)
    expect(failures).toEqual([])
  }, 180_000)
})
