/**
 * Turns a report into a test's verdict: silence if all is well, else an error that says how to replay.
 */
import type { Fault, SimulationFailure, SimulationReport } from './world.ts'

export interface CleanOptions {
  /** Seeds that a judge may leave undecided. Default 0: what nobody could judge is no pass. */
  readonly undecidedMax?: number
}

/**
 * @param countingMin how many seeds must have counted (see `SimulationReport.seedsThatCount`); default 1.
 * @throws {SimulationError} a seed failed, a judge could not decide, or too few seeds did anything.
 */
export function expectClean(
  report: SimulationReport,
  countingMin = 1,
  { undecidedMax = 0 }: CleanOptions = {},
): SimulationReport {
  const [failure] = report.failures
  if (failure !== undefined) throw new SimulationError(failureText(failure), failure)
  const undecided = Object.entries(report.undecided).sort(([, one], [, other]) => other - one)
  const unsure = undecided.reduce((sum, [, seeds]) => sum + seeds, 0)
  if (unsure > undecidedMax) {
    const judges = undecided.map(
      ([judge, seeds]) => `\n  ${seeds} ${seeds === 1 ? 'seed' : 'seeds'}: ${judge}`,
    )
    throw new SimulationError(`a judge could not decide:${judges.join('')}`, undefined)
  }
  if (report.seedsThatCount >= countingMin) return report
  const reasons = Object.entries(report.notCounted).map(([why, seeds]) => `\n  ${seeds}: ${why}`)
  throw new SimulationError(
    `only ${report.seedsThatCount} of ${report.seeds} seeds did something; expected ${countingMin}` +
      reasons.join(''),
    undefined,
  )
}

/** A simulated run failed; the message has the seed, the faults and the end of the trace. */
export class SimulationError extends Error {
  override readonly name = 'SimulationError'
  readonly failure: SimulationFailure | undefined

  constructor(message: string, failure: SimulationFailure | undefined) {
    super(message, failure?.error === undefined ? undefined : { cause: failure.error })
    this.failure = failure
  }
}

const linesShown = 60

/** @param replay how to see it again, where the caller knows better. */
export function failureText(
  failure: SimulationFailure,
  replay: string = `simulate({ firstSeed: ${failure.seed}, … the same options }, …)`,
): string {
  const { seed, name, message, trace, atMs, fixture } = failure
  const faults = failure.shrunkFaults ?? failure.faults
  return [
    `seed ${seed} failed at ${atMs} ms: ${name}: ${message}`,
    `replay: ${replay}`,
    faults.length === 0 ? 'no faults' : `faults:\n${faults.map(line).join('\n')}`,
    ...(fixture === undefined
      ? []
      : [`to keep it, replay this as \`plan\`: ${JSON.stringify(fixture)}`]),
    `the last of the trace:\n${trace.slice(-linesShown).join('\n')}`,
  ].join('\n')
}

function line(fault: Fault): string {
  return `  ${JSON.stringify(fault)}`
}
