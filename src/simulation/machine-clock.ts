/**
 * The clocks of one machine. The monotonic clock counts from the boot and stands for nothing else; it may
 * run a little fast or slow. The wall clock starts out right and is then stepped and bent by faults.
 */
import type { Clock } from '../runtime/clock.ts'
import { drawId } from './chance.ts'
import type { Core } from './core.ts'
import { streamOf } from './weather.ts'

export interface MachineClock {
  readonly clock: Clock
  /** A new boot: new id, and the monotonic clock counts from elsewhere. */
  boot(): void
  stepWall(byMs: number): void
  /** From now on the wall clock gains (or loses) so many microseconds per second. */
  driftWall(partsPerMillion: number): void
  /** From now on the monotonic clock gains (or loses) so many microseconds per second. */
  driftMonotonic(partsPerMillion: number): void
  /** The monotonic clock stands still, as in a suspended virtual machine. */
  freeze(): void
  thaw(): void
  /** Time since the boot as this machine counts it, in microseconds. */
  monotonicUs(): number
  /** How long the monotonic clock takes to count so many microseconds, in true ones. */
  trueUs(countedUs: number): number
  /** All clocks run as they should. */
  correct(): void
}

/** 2030-01-01 UTC: every world begins on this day, on every machine that runs it. */
const beginningMs = 1_893_456_000_000

export function machineClock(core: Core, machine: string): MachineClock {
  const { scheduler } = core
  const draws = streamOf(core.key, `clock of ${machine}`)
  let bootedUs = 0
  let upUs = 0
  let rate = 1
  let frozen = false
  let bootId = ''
  let stepMs = 0
  let driftPpm = 0
  let driftSinceUs = 0

  function driftedMs(): number {
    return ((scheduler.nowUs() - driftSinceUs) * driftPpm) / 1_000_000_000
  }

  const monotonicUs = (): number => (frozen ? upUs : (scheduler.nowUs() - bootedUs) * rate + upUs)

  /** What was counted so far stays counted; from now on it goes at another rate. */
  function turnOver(change: () => void): void {
    upUs = monotonicUs()
    bootedUs = scheduler.nowUs()
    change()
  }

  const clockOfMachine: MachineClock = {
    clock: {
      wallMs: () => Math.floor(beginningMs + scheduler.nowUs() / 1_000 + stepMs + driftedMs()),
      monotonicMs: () => monotonicUs() / 1_000,
      get bootId() {
        return bootId
      },
    },
    boot() {
      bootedUs = scheduler.nowUs()
      frozen = false
      upUs = 1_000_000 + draws.below(600_000) * 1_000
      bootId = drawId(draws)
    },
    stepWall(byMs) {
      stepMs += byMs
    },
    driftWall(partsPerMillion) {
      stepMs += driftedMs()
      driftSinceUs = scheduler.nowUs()
      driftPpm = partsPerMillion
    },
    driftMonotonic(partsPerMillion) {
      turnOver(() => {
        rate = 1 + partsPerMillion / 1_000_000
      })
    },
    freeze: () =>
      turnOver(() => {
        frozen = true
      }),
    thaw: () =>
      turnOver(() => {
        frozen = false
      }),
    monotonicUs,
    trueUs: (countedUs) => (rate === 1 ? countedUs : Math.ceil(countedUs / rate)),
    correct() {
      stepMs = 0
      driftPpm = 0
      turnOver(() => {
        frozen = false
        rate = 1
      })
    },
  }
  clockOfMachine.boot()
  return clockOfMachine
}
