/**
 * Makes a failing plan small: delta debugging over its faults (Zeller and Hildebrandt 2002, ddmin).
 * Draws are keyed, so leaving a fault out changes little else.
 */
import type { Fault } from './world.ts'

/** Runs at most; then the smallest plan so far is good enough. */
const runsMax = 400

/**
 * The smallest plan found that still fails. `fails` runs a plan and says whether it fails in the same
 * way as the whole one.
 */
export async function shrinkPlan(
  plan: readonly Fault[],
  fails: (plan: readonly Fault[]) => Promise<boolean>,
): Promise<readonly Fault[]> {
  let runs = 0
  const stillFails = async (candidate: readonly Fault[]): Promise<boolean> =>
    ++runs <= runsMax && (await fails(candidate))

  if (plan.length === 0 || (await stillFails([]))) return []
  let smallest = plan
  let parts = 2
  while (smallest.length > 1 && runs < runsMax) {
    const smaller = await withoutOnePart(smallest, parts, stillFails)
    if (smaller !== undefined) {
      smallest = smaller
      parts = Math.max(parts - 1, 2)
    } else if (parts < smallest.length) parts = Math.min(parts * 2, smallest.length)
    else break
  }
  return smallest
}

async function withoutOnePart(
  plan: readonly Fault[],
  parts: number,
  stillFails: (plan: readonly Fault[]) => Promise<boolean>,
): Promise<readonly Fault[] | undefined> {
  const size = Math.ceil(plan.length / parts)
  for (let start = 0; start < plan.length; start += size) {
    const rest = plan.filter((_, index) => index < start || index >= start + size)
    if (await stillFails(rest)) return rest
  }
  return undefined
}
