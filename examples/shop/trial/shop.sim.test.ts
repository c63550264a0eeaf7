import { simulationTestWith } from 'holdfast/testing'
import { describe, it } from 'vitest'
import { options, shopTrial } from './scenario.ts'

const simulationTest = simulationTestWith(it)
/** Each on seeds of its own: the same seed would strike the same blows. */
const some = { seeds: 8, countingMin: 1 }

describe('every order ends as its customer expects, exactly once', () => {
  simulationTest(
    'whatever dies',
    {
      ...options,
      seeds: 40,
      reachedMin: {
        'a customer asked again': 0.2,
        'confirmed, expected confirmed': 0.3,
        'rejected, expected rejected': 0.3,
        'confirmed, expected either': 0.3,
      },
    },
    shopTrial({ mayFail: false }),
  )

  simulationTest(
    'and calls that come late, twice and without an answer',
    { ...options, ...some, firstSeed: 10_001, faults: 'all' },
    shopTrial({ rough: true }),
  )

  simulationTest(
    'while the order service goes from one saga version to the next, instance by instance',
    {
      ...options,
      ...some,
      firstSeed: 20_001,
      reachedMin: { 'an order of version 1': 0.5, 'an order of version 2': 0.5 },
    },
    shopTrial({ deployAtMs: { 'order-1': 8_000, 'order-2': 14_000 }, mayFail: false }),
  )
})
