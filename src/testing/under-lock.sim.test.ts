/** The sample of the design, as it is printed there; and with a bug planted in its program. */
import { simulate } from 'holdfast/testing'
import { linearizable, register } from 'holdfast/verification'
import { expect, it } from 'vitest'
import { expectClean } from './index.ts'
import { updateUnderLock } from './under-lock.sim.ts'

it('G-14: three processes under one lock are right under every fault', async () => {
  const report = await simulate({ seeds: 30, faults: 'all' }, async (world) => {
    const store = world.embedded() // a store on its own machine, behind a network
    for (const name of ['a', 'b', 'c'])
      world.node(name, (runtime) => updateUnderLock(runtime, store))
    world.check(linearizable(register))
  })
  expectClean(report, 15)
})

it('G-14: a holder that trusts its own copy is found, and shrinks to what made it late', async () => {
  const report = await simulate({ seeds: 300, faults: 'all', shrink: true }, async (world) => {
    const store = world.embedded()
    for (const name of ['a', 'b', 'c']) {
      world.node(name, (runtime) => updateUnderLock(runtime, store, { careless: true }))
    }
    world.check(linearizable(register))
  })
  const [failure] = report.failures
  expect(failure?.name).toBe('linearizable(register)')
  expect(failure?.shrunkFaults?.length ?? 99).toBeLessThanOrEqual(2)
  const drawn = await failure?.timeline?.()
  expect(drawn?.text()).toContain('VIOLATION')
})
