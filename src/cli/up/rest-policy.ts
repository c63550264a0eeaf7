/**
 * How long a dead process rests before it starts again: a little longer after each quick death, back
 * to the beginning once it has lived for a while. One that keeps dying by itself is quarantined, so
 * that a broken build does not eat the machine. A kill that an operator asked for says nothing about
 * the program's health and never quarantines.
 */
export interface Rest {
  readonly pauseMs: number
  readonly quarantined: boolean
}

export interface RestPolicy {
  died(death: {
    readonly atMs: number
    readonly livedMs: number
    readonly onPurpose: boolean
  }): Rest
}

export const restLimits = {
  /** Rest after the first quick death; doubled with each further one. */
  firstMs: 100,
  longestMs: 5_000,
  /** A process that lived this long has recovered. */
  steadyMs: 10_000,
  /** So many deaths of its own within the window put it into quarantine. */
  loopDeaths: 12,
  loopWindowMs: 60_000,
  quarantineMs: 30_000,
} as const

export function restPolicy(): RestPolicy {
  let quickDeaths = 0
  let ownDeaths: number[] = []
  return {
    died({ atMs, livedMs, onPurpose }) {
      if (onPurpose) return { pauseMs: restLimits.firstMs, quarantined: false }
      quickDeaths = livedMs > restLimits.steadyMs ? 1 : quickDeaths + 1
      ownDeaths = [...ownDeaths, atMs].filter((death) => atMs - death < restLimits.loopWindowMs)
      if (ownDeaths.length >= restLimits.loopDeaths) {
        ownDeaths = []
        return { pauseMs: restLimits.quarantineMs, quarantined: true }
      }
      const grownMs = restLimits.firstMs * 2 ** Math.min(quickDeaths - 1, 20)
      return { pauseMs: Math.min(restLimits.longestMs, grownMs), quarantined: false }
    },
  }
}
