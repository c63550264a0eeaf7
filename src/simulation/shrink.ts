/**
 * Makes a failing run small: fewer faults, then shorter faults, then fewer processes where the scenario can do
 * without. Draws are keyed, so leaving a fault out changes little else.
 *
 * Most bugs need one fault or two. Delta debugging (Zeller and Hildebrandt 2002, ddmin) cuts the plan down from above,
 * at the price of many runs that fail; it may end with some faults where one other would do, so each alone and all
 * pairs are tried as well. Where a run that fails takes far longer than one that passes, as when it waits in vain for
 * progress, each alone is tried first.
 */
import type { Fault } from './world.ts'

/** What shrinking may change. */
export interface Candidate {
  readonly faults: readonly Fault[]
  /** Optional processes left out. */
  readonly absent: readonly string[]
}

export interface ShrinkLimits {
  /** Runs at most; then the smallest case so far is good enough. Default 2_000. */
  readonly runsMax?: number
  /** Says that time is up. */
  readonly isOver?: () => boolean
  /** Asked after the run without faults: does the whole case take far longer than it? */
  readonly isFailingLong?: () => boolean
}

type Fails = (candidate: Candidate) => Promise<boolean>

/**
 * The smallest case found that still fails. `fails` runs one and says whether it fails in the same way as
 * the whole one.
 */
export async function shrinkCase(
  faults: readonly Fault[],
  optional: readonly string[],
  fails: Fails,
  { runsMax = 2_000, isOver = () => false, isFailingLong = () => false }: ShrinkLimits = {},
): Promise<Candidate> {
  let runs = 0
  const stillFails: Fails = async (candidate) => !isOver() && ++runs <= runsMax && fails(candidate)
  const fewest = await shrinkPlan(
    faults,
    (plan) => stillFails({ faults: plan, absent: [] }),
    isFailingLong,
  )
  const shorter = await shorten(fewest, (plan) => stillFails({ faults: plan, absent: [] }))
  let absent: readonly string[] = []
  for (const name of optional) {
    const without = [...absent, name]
    if (await stillFails({ faults: shorter, absent: without })) absent = without
  }
  // With fewer processes, some faults have nobody left to matter to.
  const last =
    absent.length === 0
      ? shorter
      : await shrinkPlan(shorter, (plan) => stillFails({ faults: plan, absent }))
  return { faults: last, absent }
}

/** The smallest plan found that still fails. */
export async function shrinkPlan(
  plan: readonly Fault[],
  fails: (plan: readonly Fault[]) => Promise<boolean>,
  isFailingLong: () => boolean = () => false,
): Promise<readonly Fault[]> {
  if (plan.length === 0 || (await fails([]))) return []
  if (plan.length === 1) return plan
  const aloneFirst = isFailingLong()
  const first = aloneFirst ? await anyAlone(plan, fails) : undefined
  if (first !== undefined) return first
  const smallest = await cutDown(plan, fails)
  if (smallest.length === 1) return smallest
  const alone = aloneFirst ? undefined : await anyAlone(plan, fails)
  if (alone !== undefined || smallest.length === 2) return alone ?? smallest
  return (await anyPair(plan, fails)) ?? smallest
}

async function anyAlone(
  plan: readonly Fault[],
  fails: (plan: readonly Fault[]) => Promise<boolean>,
): Promise<readonly Fault[] | undefined> {
  for (const fault of plan) if (await fails([fault])) return [fault]
  return undefined
}

async function cutDown(
  plan: readonly Fault[],
  fails: (plan: readonly Fault[]) => Promise<boolean>,
): Promise<readonly Fault[]> {
  let smallest = plan
  let parts = 2
  while (smallest.length > 1) {
    const smaller = await withoutOnePart(smallest, parts, fails)
    if (smaller !== undefined) {
      smallest = smaller
      parts = Math.max(parts - 1, 2)
    } else if (parts < smallest.length) parts = Math.min(parts * 2, smallest.length)
    else break
  }
  return smallest
}

async function anyPair(
  plan: readonly Fault[],
  fails: (plan: readonly Fault[]) => Promise<boolean>,
): Promise<readonly Fault[] | undefined> {
  for (const [at, first] of plan.entries()) {
    for (const second of plan.slice(at + 1)) {
      if (await fails([first, second])) return [first, second]
    }
  }
  return undefined
}

async function withoutOnePart(
  plan: readonly Fault[],
  parts: number,
  fails: (plan: readonly Fault[]) => Promise<boolean>,
): Promise<readonly Fault[] | undefined> {
  const size = Math.ceil(plan.length / parts)
  for (let start = 0; start < plan.length; start += size) {
    const rest = plan.filter((_, index) => index < start || index >= start + size)
    if (await fails(rest)) return rest
  }
  return undefined
}

/** Each fault as short as halving can make it. A fault that fails only when long stays long. */
async function shorten(
  plan: readonly Fault[],
  fails: (plan: readonly Fault[]) => Promise<boolean>,
): Promise<readonly Fault[]> {
  let shortest = plan
  for (const { id } of plan) {
    for (;;) {
      const candidate = shortest.map((fault) =>
        fault.id === id ? { ...fault, durationMs: Math.floor(fault.durationMs / 2) } : fault,
      )
      const before = shortest.find((fault) => fault.id === id)?.durationMs ?? 0
      if (before <= 1 || !(await fails(candidate))) break
      shortest = candidate
    }
  }
  return shortest
}
