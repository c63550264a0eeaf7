/**
 * Three members in three processes, as in production but for the wires between them: killed, stopped, cut off
 * and robbed of their disks while clients work. The long form is `scripts/cluster-chaos.mjs`.
 */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const chaos = fileURLToPath(new URL('../../scripts/cluster-chaos.mjs', import.meta.url))
const disks = fileURLToPath(new URL('disks.mjs', import.meta.url))

interface Result {
  readonly verdict: 'ok' | 'violation' | 'unknown'
  readonly operations: number
  readonly blows: Readonly<Record<string, number>>
  readonly stopped?: string
  readonly wentOn?: boolean
  readonly skipped?: string
}

/** The last line of what the program says. */
function run(program: string, ...argv: readonly string[]): Promise<Result> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [program, ...argv], (failure, stdout, stderr) => {
      const line = stdout.trim().split('\n').at(-1) ?? ''
      if (line.startsWith('{')) resolve(JSON.parse(line))
      else reject(new Error(`${failure?.message}\n${stderr}`))
    })
  })
}

const judged = (...argv: readonly string[]): Promise<Result> =>
  run(chaos, '--json', '--quiet', '--election-ms', '500', ...argv)

describe('three processes', () => {
  it('RF-1, RF-4, RF-5, RF-9: killed, stopped and cut off, they stay linearizable', async () => {
    const { verdict, operations } = await judged('--seconds', '8', '--seed', '7')
    expect(verdict).toBe('ok')
    expect(operations).toBeGreaterThan(100)
  })

  it('RF-1: all killed at once, they have lost nothing', async () => {
    const { verdict } = await judged('--seconds', '3', '--seed', '11', '--blows', 'kill all')
    expect(verdict).toBe('ok')
  })

  it('RF-1: and if they answer before their disks have it, the judge finds out', async () => {
    const blow = ['--seconds', '3', '--seed', '11', '--blows', 'kill all']
    const { verdict } = await judged(...blow, '--answers-early')
    expect(verdict).toBe('violation')
  })

  it('RF-10: a leader whose disk is full steps down, loses nothing and comes back', async ({
    skip,
  }) => {
    const result = await run(disks, 'full')
    if (result.skipped !== undefined) skip(result.skipped)
    expect(result).toMatchObject({ stopped: 'disk', wentOn: true, verdict: 'ok' })
  })

  it('RF-1, RF-10: a leader whose disk fails to sync stops, loses nothing and comes back', async () => {
    const result = await run(disks, 'sync')
    expect(result).toMatchObject({ stopped: 'disk', wentOn: true, verdict: 'ok' })
  })
})
