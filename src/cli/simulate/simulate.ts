/**
 * `holdfast simulate`: runs a scenario over many seeds, says how it goes, and shows the first failure with
 * all that is needed to see it again.
 */
import process from 'node:process'
import { ledgerCommand } from './ledger.ts'
import { knownScenarios } from './load-scenario.ts'
import { type SimulateRequest, simulateRequest, simulateUsage } from './request.ts'
import { runSeeds, type SeedSource } from './seed-pool.ts'
import type { SeedFailure } from './seed-worker.ts'
import { progressLine, tellFailure, tellHung } from './told.ts'
import { total } from './total.ts'

/** @returns the exit code: 0 or 1. @throws {InvalidArgumentError} asked wrongly. */
export async function simulateCommand(args: readonly string[]): Promise<number> {
  const request = args.includes('--help') ? undefined : simulateRequest(args)
  if (request === undefined) {
    const names = knownScenarios().map(([name, about]) => `  ${name.padEnd(12)}${about}`)
    process.stdout.write(`${simulateUsage}\n\nbuilt-in scenarios:\n${names.join('\n')}\n`)
    return 0
  }
  if (request.ledger !== undefined) return ledgerCommand(request, request.ledger)
  const sum = total()
  // The last one told is the first in order: whatever fails later in order is not told.
  let failure: SeedFailure | undefined
  let hung: number | undefined
  const showing = progressLine(() => sum.line())
  try {
    await runSeeds(request, consecutive(request), {
      ran(_, report) {
        sum.add(report)
        if (report.failure === undefined) return
        failure = report.failure
        hung = undefined
      },
      hung(_, seed) {
        hung = seed
        failure = undefined
      },
    })
  } finally {
    showing.stop()
  }
  process.stdout.write(`${sum.line()}\n`)
  if (failure !== undefined) await tellFailure(request, failure)
  else if (hung !== undefined) tellHung(request, hung)
  else return sum.verdict(process.stdout)
  return 1
}

/** One after the other, until there are enough or time is up. */
function consecutive({ firstSeed, seeds, minutes }: SimulateRequest): SeedSource {
  const endMs = minutes === undefined ? Number.POSITIVE_INFINITY : Date.now() + minutes * 60_000
  let index = 0
  return () => {
    if (index >= seeds || Date.now() >= endMs) return undefined
    const next = { index, seed: firstSeed + index }
    index++
    return next
  }
}
