/**
 * What the command says of a failure, and of how it goes meanwhile.
 */
import { writeFileSync } from 'node:fs'
import process from 'node:process'
import type { SimulateRequest } from './request.ts'
import { explainSeed } from './seed-pool.ts'
import type { SeedFailure } from './seed-worker.ts'

/** Shrinks and draws the failure, and prints how to see it again. */
export async function tellFailure(request: SimulateRequest, found: SeedFailure): Promise<void> {
  const again = await explainSeed(request, found.seed)
  const { seed, name, message, atMs, fixture, text, html } = again?.failure ?? found
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
}

export function tellHung(request: SimulateRequest, seed: number): void {
  process.stdout.write(
    `seed ${seed} did not come back within ${request.seedSecondsMax} s: an endless loop?\n` +
      `replay: ${replayLine(request, seed)}\n`,
  )
}

export function replayLine({ target, faults }: SimulateRequest, seed: number): string {
  const kinds = typeof faults === 'string' ? faults : faults?.join(',')
  return `holdfast simulate ${target} --seed ${seed}${kinds === undefined ? '' : ` --faults ${kinds}`}`
}

/** On a terminal one line that changes; elsewhere a line now and then. */
export function progressLine(line: () => string): { stop(): void } {
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
