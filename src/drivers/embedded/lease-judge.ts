/**
 * The judge of a trial of leases. It sees every lease as its holder sees it, and a resource that is
 * written under the lease's token, and it says when the promise is broken:
 *
 *   order      a lease that was asked for after another was granted has a larger token
 *   identity   a token belongs to one attempt only
 *   exclusion  at one instant at most one lease is valid, by the machine's clock
 *   fence      while a holder's lease is valid, the resource accepts its writes
 *
 * It knows nothing of how a store works, and all holders share one machine's clock.
 */
export interface LeaseJudge {
  /** Call before asking. */
  asked(): LeaseQuestion
  /** Call with every validity that a holder learns by renewing. */
  renewed(hold: Hold, validUntilMs: number, at: Instant): void
  /** Call before releasing: from here on the holder claims nothing. */
  letGo(hold: Hold): void
  /** Writes to the resource under the token. @returns whether the fence let it through. */
  write(hold: Hold, at: Instant): boolean
  readonly grants: number
  readonly refusedWrites: number
}

export interface LeaseQuestion {
  granted(lease: GrantedLease, at: Instant): Hold
}

export interface GrantedLease {
  readonly token: bigint
  readonly attemptId: string
  readonly validUntilMs: number
}

/** A reading of the machine's monotonic clock. */
export interface Instant {
  readonly boot: string
  readonly nowMs: number
}

export interface Hold {
  readonly token: bigint
  readonly attemptId: string
  readonly boot: string
  validUntilMs: number
}

export function leaseJudge(fail: (verdict: string, message: string) => void): LeaseJudge {
  const attempts = new Map<bigint, string>()
  let held: Hold[] = []
  let largestGranted = 0n
  let fence = 0n
  let grants = 0
  let refusedWrites = 0

  function judgeExclusion({ boot, nowMs }: Instant): void {
    held = held.filter((hold) => hold.boot === boot && hold.validUntilMs > nowMs)
    const [one, two] = held
    if (one === undefined || two === undefined) return
    fail('exclusion', `at ${nowMs} both ${describe(one)} and ${describe(two)} are valid`)
  }

  return {
    asked() {
      const before = largestGranted
      return {
        granted(lease, at) {
          const { token, attemptId, validUntilMs } = lease
          const owner = attempts.get(token)
          if (owner !== undefined && owner !== attemptId) {
            fail('identity', `token ${token} was granted to two attempts`)
          }
          if (owner === undefined && token <= before) {
            fail('order', `token ${token} was granted after token ${before}`)
          }
          attempts.set(token, attemptId)
          if (token > largestGranted) largestGranted = token
          grants += 1
          const hold: Hold = { token, attemptId, boot: at.boot, validUntilMs }
          held = held.filter((other) => other.token !== token || other.attemptId !== attemptId)
          held.push(hold)
          judgeExclusion(at)
          return hold
        },
      }
    },
    renewed(hold, validUntilMs, at) {
      hold.validUntilMs = validUntilMs
      if (!held.includes(hold)) held.push(hold)
      judgeExclusion(at)
    },
    letGo(hold) {
      held = held.filter((other) => other !== hold)
    },
    write(hold, { boot, nowMs }) {
      const accepted = hold.token >= fence
      if (accepted) fence = hold.token
      else refusedWrites += 1
      if (!accepted && hold.boot === boot && hold.validUntilMs > nowMs) {
        fail('fence', `${describe(hold)} is valid at ${nowMs}, yet the fence stands at ${fence}`)
      }
      return accepted
    },
    get grants() {
      return grants
    },
    get refusedWrites() {
      return refusedWrites
    },
  }
}

function describe({ token, attemptId, validUntilMs }: Hold): string {
  return `token ${token} of attempt ${attemptId.slice(0, 6)} (until ${validUntilMs})`
}
