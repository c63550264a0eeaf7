/**
 * The clocks of one machine. The monotonic clock counts from the boot and stands for nothing else;
 * the wall clock starts out right and is then stepped and bent by faults.
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
  /** The wall clock is right again. */
  correctWall(): void
}

/** 2030-01-01 UTC: every world begins on this day, on every machine that runs it. */
const beginningMs = 1_893_456_000_000

export function machineClock(core: Core, machine: string): MachineClock {
  const { scheduler } = core
  const draws = streamOf(core.key, `clock of ${machine}`)
  let bootedUs = 0
  let upUs = 0
  let bootId = ''
  let stepMs = 0
  let driftPpm = 0
  let driftSinceUs = 0

  function driftedMs(): number {
    return ((scheduler.nowUs() - driftSinceUs) * driftPpm) / 1_000_000_000
  }

  const clockOfMachine: MachineClock = {
    clock: {
      wallMs: () => Math.floor(beginningMs + scheduler.nowUs() / 1_000 + stepMs + driftedMs()),
      monotonicMs: () => (scheduler.nowUs() - bootedUs + upUs) / 1_000,
      get bootId() {
        return bootId
      },
    },
    boot() {
      bootedUs = scheduler.nowUs()
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
    correctWall() {
      stepMs = 0
      driftPpm = 0
    },
  }
  clockOfMachine.boot()
  return clockOfMachine
}
