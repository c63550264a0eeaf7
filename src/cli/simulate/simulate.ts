/**
 * `holdfast simulate`: runs a scenario over many seeds, says how it goes, and shows the first failure with
 * all that is needed to see it again.
 */
import { writeFileSync } from 'node:fs'
import process from 'node:process'
import { scenarios } from '../../testing/scenarios/registry.ts'
import { type SimulateRequest, simulateRequest, simulateUsage } from './request.ts'
import { runSeeds } from './seed-pool.ts'
import type { SeedFailure } from './seed-worker.ts'
import { total } from './total.ts'

/** @returns the exit code: 0 or 1. @throws {InvalidArgumentError} asked wrongly. */
export async function simulateCommand(args: readonly string[]): Promise<number> {
  const request = args.includes('--help') ? undefined : simulateRequest(args)
  if (request === undefined) {
    const names = Object.entries(scenarios).map(
      ([name, { about }]) => `  ${name.padEnd(12)}${about}`,
    )
    process.stdout.write(`${simulateUsage}\n\nbuilt-in scenarios:\n${names.join('\n')}\n`)
    return 0
  }
  const sum = total()
  let failure: SeedFailure | undefined
  let hung: number | undefined
  const showing = progressLine(() => sum.line())
  try {
    await runSeeds(request, () => failure !== undefined || hung !== undefined, {
      ran(report) {
        sum.add(report)
        failure ??= report.failure
      },
      hung(seed) {
        hung ??= seed
      },
    })
  } finally {
    showing.stop()
  }
  process.stdout.write(`${sum.line()}\n`)
  if (failure !== undefined) return failed(request, failure)
  if (hung !== undefined) {
    process.stdout.write(
      `seed ${hung} did not come back within ${request.seedSecondsMax} s: an endless loop?\n` +
        `replay: ${replayLine(request, hung)}\n`,
    )
    return 1
  }
  return sum.verdict(process.stdout)
}

function failed(request: SimulateRequest, failure: SeedFailure): number {
  const { seed, name, message, atMs, fixture, text, html } = failure
  const lines = [
    `FAILED  seed ${seed} at ${atMs} ms: ${name}: ${message}`,
    '',
    text,
    '',
    `replay: ${replayLine(request, seed)}`,
  ]
  if (fixture !== undefined) {
    lines.push(
      `or save the line below and run: holdfast simulate ${request.target} --plan SAVED.json`,
    )
    lines.push(fixture)
  }
  if (request.html !== undefined) {
    writeFileSync(request.html, html)
    lines.push(`picture: ${request.html}`)
  }
  process.stdout.write(`${lines.join('\n')}\n`)
  return 1
}

function replayLine({ target, faults }: SimulateRequest, seed: number): string {
  const kinds = typeof faults === 'string' ? faults : faults?.join(',')
  return `holdfast simulate ${target} --seed ${seed}${kinds === undefined ? '' : ` --faults ${kinds}`}`
}

/** On a terminal one line that changes; elsewhere a line now and then. */
function progressLine(line: () => string): { stop(): void } {
  const { stderr } = process
  const show = (): void => void stderr.write(stderr.isTTY ? `\r\x1b[K${line()}` : `${line()}\n`)
  const timer = setInterval(show, stderr.isTTY ? 200 : 5_000)
  return {
    stop() {
      clearInterval(timer)
      if (stderr.isTTY) stderr.write('\r\x1b[K')
    },
  }
}
