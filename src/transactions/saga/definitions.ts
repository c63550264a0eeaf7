/**
 * The definitions this process knows, by name and version. During a rolling deploy two versions live side
 * by side, and each instance ends on the one it began with.
 */
import { InvalidArgumentError } from '../../errors.ts'
import type { Observer } from '../../observability/observer.ts'
import type { SagaPlan } from './definition.ts'
import type { SagaState } from './state.ts'

const kindsShownMax = 100

export interface Definitions {
  /** @throws {InvalidArgumentError} this version is there already. */
  add(plan: SagaPlan): void
  /** @throws {InvalidArgumentError} nothing of this name is registered. */
  newest(name: string): SagaPlan
  /** The plan an instance began with, or `undefined` if this process lacks it. */
  planOf(state: SagaState): SagaPlan | undefined
  /** Notes what was due and could not be executed here at the last look. */
  passedOver(instances: readonly { readonly state: SagaState }[]): void
  /** How many instances were passed over at the last look, by `name@version`. */
  unclaimable(): Readonly<Record<string, number>>
}

export function definitions(observer: Observer): Definitions {
  const plans = new Map<string, SagaPlan>()
  const newest = new Map<string, SagaPlan>()
  let lacking: Record<string, number> = {}

  return {
    add(plan) {
      const tag = tagOf(plan.name, plan.version)
      if (plans.has(tag)) throw new InvalidArgumentError(`saga ${tag} is registered twice`)
      plans.set(tag, plan)
      const current = newest.get(plan.name)
      if (current === undefined || current.version < plan.version) newest.set(plan.name, plan)
    },
    newest(name) {
      const plan = newest.get(name)
      if (plan === undefined) throw new InvalidArgumentError(`saga "${name}" is not registered`)
      return plan
    },
    planOf(state) {
      if (state.format !== 1) return undefined
      const plan = plans.get(tagOf(state.saga, state.version))
      return plan && hasSameSteps(plan, state) ? plan : undefined
    },
    passedOver(instances) {
      const counted: Record<string, number> = {}
      for (const { state } of instances) {
        const tag = tagOf(state.saga, state.version)
        if (!(tag in counted) && Object.keys(counted).length >= kindsShownMax) continue
        counted[tag] = (counted[tag] ?? 0) + 1
      }
      for (const [tag, waiting] of Object.entries(counted)) {
        if (tag in lacking) continue
        observer.event('sagaUnclaimable', { definition: tag, waiting })
        observer.count('sagasUnclaimable', { definition: tag }, waiting)
      }
      lacking = counted
    },
    unclaimable: () => lacking,
  }
}

function tagOf(name: string, version: number): string {
  return `${name}@${version}`
}

/** A definition that was changed without a new version must not run on the old one's state. */
function hasSameSteps(plan: SagaPlan, { steps }: SagaState): boolean {
  return (
    steps.length === plan.steps.length &&
    steps.every(({ name }, index) => name === plan.steps[index]?.name)
  )
}
