import { env, stdout } from 'node:process'
import { expect, it } from 'vitest'
import { type ExplorationReport, explore } from '../../simulation/explore.ts'
import { leastKey } from '../../simulation/explore-symmetry.ts'
import { planted } from './planted.sim.ts'
import {
  actionsOf,
  holds,
  keyOf,
  type Scope,
  type SmallGroup,
  smallGroup,
  stepHolds,
} from './small-scope.sim.ts'

function everything(scope: Scope, statesMax: number): ExplorationReport<SmallGroup> {
  return explore<SmallGroup>({
    initial: smallGroup(scope.core),
    actions: (group) => actionsOf(group, scope),
    invariant: holds,
    transition: stepHolds,
    key: leastKey(['a', 'b', 'c'], keyOf),
    statesMax,
  })
}

function tell(scope: Scope, report: ExplorationReport<SmallGroup>): void {
  const { termsMax, entriesMax, crashesMax } = scope
  const { states, transitions, depth, complete } = report
  stdout.write(
    `terms ${termsMax}, entries ${entriesMax}, crashes ${crashesMax}: ${states} states, ` +
      `${transitions} steps, depth ${depth}${complete ? '' : ', not all'}\n`,
  )
}

const whole: readonly Scope[] = [
  { termsMax: 2, entriesMax: 1, crashesMax: 1 },
  { termsMax: 2, entriesMax: 2, crashesMax: 0 },
  ...furtherScopes(),
]

/** HOLDFAST_SCOPE="2,2,1": terms, entries, crashes. That one has 65_554 states. */
function furtherScopes(): readonly Scope[] {
  if (env.HOLDFAST_SCOPE === undefined) return []
  const [termsMax = 2, entriesMax = 1, crashesMax = 0] = env.HOLDFAST_SCOPE.split(',').map(Number)
  return [{ termsMax, entriesMax, crashesMax }]
}

for (const scope of whole) {
  const { termsMax, entriesMax, crashesMax } = scope
  it(`the five properties hold in every story of ${termsMax} terms, ${entriesMax} entries, ${crashesMax} crashes`, () => {
    const report = everything(scope, 10_000_000)
    tell(scope, report)
    expect(report.violation?.message, report.violation?.path.join('\n')).toBeUndefined()
    expect(report.complete).toBe(true)
  })
}

it('and in all short stories of three terms, two entries, two crashes', () => {
  const scope = { termsMax: 3, entriesMax: 2, crashesMax: 2 }
  const report = everything(scope, Number(env.HOLDFAST_STATES ?? 10_000))
  tell(scope, report)
  expect(report.violation?.message, report.violation?.path.join('\n')).toBeUndefined()
})

for (const bug of ['a vote is given before', 'entries are acknowledged before']) {
  it(`RF-1: a bug planted there is found: ${bug} it is durable`, () => {
    const core = planted.find((one) => one.bug.startsWith(bug))?.core
    if (core === undefined) throw new Error(`no bug "${bug}"`)
    const report = everything({ termsMax: 2, entriesMax: 1, crashesMax: 1, core }, 100_000)
    expect(report.violation?.message).toMatch(/Election Safety|Leader Completeness/)
    stdout.write(`${report.violation?.message}, after ${report.violation?.path.join('; ')}\n`)
  })
}
