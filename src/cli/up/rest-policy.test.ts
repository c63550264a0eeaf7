import { expect, it } from 'vitest'
import { restLimits, restPolicy } from './rest-policy.ts'

const quick = (atMs: number) => ({ atMs, livedMs: 10, onPurpose: false })

it('rests longer after each quick death, up to a maximum', () => {
  const policy = restPolicy()
  const pauses = Array.from({ length: 8 }, (_, index) => policy.died(quick(index)).pauseMs)
  expect(pauses).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000])
})

it('begins again after a steady life', () => {
  const policy = restPolicy()
  for (let index = 0; index < 5; index++) policy.died(quick(index))
  const steady = { atMs: 50_000, livedMs: restLimits.steadyMs + 1, onPurpose: false }
  expect(policy.died(steady).pauseMs).toBe(restLimits.firstMs)
})

it('quarantines a crash loop, and not the victim of an operator', () => {
  const policy = restPolicy()
  const own = Array.from({ length: restLimits.loopDeaths }, (_, index) => policy.died(quick(index)))
  expect(own.map(({ quarantined }) => quarantined)).toEqual([
    ...Array.from({ length: restLimits.loopDeaths - 1 }, () => false),
    true,
  ])
  const victim = restPolicy()
  for (let index = 0; index < 100; index++) {
    const rest = victim.died({ atMs: index, livedMs: 10, onPurpose: true })
    expect(rest).toEqual({ pauseMs: restLimits.firstMs, quarantined: false })
  }
})
