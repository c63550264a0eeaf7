import { env, stdout } from 'node:process'
import { expect, it } from 'vitest'
import { live } from './schedule.sim.ts'

const wanted = Number(env.HOLDFAST_SEEDS ?? 2_000)
const firstSeed = Number(env.HOLDFAST_FIRST_SEED ?? 1)

it(`RF-1…RF-8, RF-10: the five properties hold in ${wanted} eventful lives, and all end in agreement`, () => {
  const total = new Map<string, number>()
  let elections = 0
  let eventful = 0
  let seed = firstSeed
  for (; eventful < wanted; seed++) {
    const life = live({ seed })
    expect(life.broken, `seed ${seed}`).toBeUndefined()
    elections += life.elections
    if (life.eventful) eventful += 1
    for (const [what, count] of life.reached) total.set(what, (total.get(what) ?? 0) + count)
  }
  const reached = (what: string): number => total.get(what) ?? 0
  const counts = [...total].map(([what, count]) => `${what} ${count}`).sort()
  stdout.write(
    `${eventful} of ${seed - firstSeed} lives eventful, elections ${elections}, ${counts.join(', ')}\n`,
  )
  expect(elections).toBeGreaterThan(3 * wanted)
  for (const [what, share] of [
    ['accepted', 10],
    ['forwarded', 0.5],
    ['read', 1],
    ['change done', 0.5],
    ['snapshot taken', 0.8],
    ['snapshot installed', 0.1],
    ['transfer done', 0.3],
    ['transfer failed', 0.02],
    ['refused: full', 0.1],
    ['refused: lost', 0.1],
    ['refused: lease-unsure', 0.05],
    ['refused: not-caught-up', 0.02],
  ] as const) {
    expect(reached(what), what).toBeGreaterThan(share * wanted)
  }
})

it('the same seed is the same life', () => {
  for (let seed = 1; seed <= 20; seed++) expect(live({ seed })).toEqual(live({ seed }))
})
