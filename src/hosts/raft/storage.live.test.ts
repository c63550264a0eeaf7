/**
 * A member's storage on a real disk, in a process that is killed in the middle of its work, again and again.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'

const program = fileURLToPath(new URL('storage.live-child.mjs', import.meta.url))
const rounds = 25

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-storage-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

interface Life {
  readonly found: number
  readonly term: number
  readonly durable: number
  readonly durableTerm: number
  readonly wrong: readonly string[]
}

/** Lets it work until `steps` writes are durable and a moment more, then kills it. */
async function life(steps: number, moreMs: number): Promise<Life> {
  const child = spawn(process.execPath, [program, join(folder, 'member')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines: string[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line)
    const durable = lines.length - 1
    if (durable === steps) setTimeout(() => child.kill('SIGKILL'), moreMs)
  }
  const number = (word: string, name: string): number => {
    const line = lines.findLast((one) => one.startsWith(word))
    return Number(line?.match(new RegExp(`${name} (\\d+)`))?.[1] ?? Number.NaN)
  }
  return {
    found: number('found', 'found'),
    term: number('found', 'term'),
    durable: number('durable', 'durable'),
    durableTerm: number('durable', 'term'),
    wrong: lines.filter((line) => line.startsWith('wrong')),
  }
}

it('RF-1, RF-10: killed 25 times, it has all that was durable, in order, and its term', async () => {
  let before: Life | undefined
  for (let round = 0; round < rounds; round++) {
    const now = await life(5 + ((round * 37) % 60), (round * 7) % 12)
    expect(now.wrong).toEqual([])
    if (before !== undefined) {
      expect(now.found).toBeGreaterThanOrEqual(before.durable)
      // At most what one write of 40 entries had begun.
      expect(now.found).toBeLessThanOrEqual(before.durable + 40)
      expect(now.term).toBe(before.durableTerm)
    }
    before = now
  }
  expect(before?.durable).toBeGreaterThan(5_000)
})
