/**
 * A judge must end. Every loop that a hostile or very large history could stretch pays for its steps
 * here; when the steps or the time are spent, the work stops at once and the verdict is `unknown` for
 * all that was not yet decided. Two runs with the same `stepsMax` and no clock give the same answer.
 */
export interface Budget {
  /** Pays for so many steps. @throws the `BudgetSpent` of this budget when there are none left. */
  spend(steps: number): void
  /** Would `spend` throw by steps now? */
  readonly left: number
}

export interface BudgetSpent {
  readonly spent: 'steps' | 'time'
}

export interface BudgetOptions {
  readonly stepsMax: number
  /** Needs `timeoutMs`. Any clock that does not go back. */
  readonly nowMs?: (() => number) | undefined
  readonly timeoutMs?: number | undefined
}

/** Steps between two looks at the clock: about a millisecond of work. */
const clockEvery = 16_384

export function budget({ stepsMax, nowMs, timeoutMs }: BudgetOptions): Budget {
  let left = stepsMax
  let untilClock = clockEvery
  const deadlineMs =
    nowMs === undefined || timeoutMs === undefined ? undefined : nowMs() + timeoutMs
  return {
    spend(steps) {
      left -= steps
      if (left < 0) throw { spent: 'steps' } satisfies BudgetSpent
      untilClock -= steps
      if (untilClock > 0) return
      untilClock = clockEvery
      if (deadlineMs !== undefined && nowMs !== undefined && nowMs() > deadlineMs) {
        throw { spent: 'time' } satisfies BudgetSpent
      }
    },
    get left() {
      return left
    },
  }
}

/** Was this thrown by a budget, and why? */
export function budgetSpent(error: unknown): BudgetSpent['spent'] | undefined {
  if (typeof error !== 'object' || error === null || !('spent' in error)) return undefined
  return error.spent === 'steps' || error.spent === 'time' ? error.spent : undefined
}
