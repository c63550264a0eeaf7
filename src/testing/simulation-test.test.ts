/** `simulationTestWith`, with runners of our own that keep what they were given. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { env } from 'node:process'
import { afterEach, describe, expect, it } from 'vitest'
import { sleep } from '../runtime/sleep.ts'
import { type Scenario, type SimulationTestOptions, simulationTestWith } from './index.ts'

const folder = mkdtempSync(join(tmpdir(), 'simulation-test-'))
const variables = ['HOLDFAST_SEED', 'HOLDFAST_SEEDS', 'HOLDFAST_FIRST_SEED'] as const
const before = variables.map((name) => [name, env[name]] as const)
afterEach(() => {
  for (const [name, value] of before) {
    if (value === undefined) delete env[name]
    else env[name] = value
  }
  rmSync(folder, { recursive: true, force: true })
})

/** What the runner was given, and what came of the body. */
async function run(
  scenario: Scenario,
  options: SimulationTestOptions,
): Promise<{ timeout: number; error: unknown }> {
  let given: { timeout: number; body: () => Promise<void> } | undefined
  simulationTestWith((_name, { timeout }, body) => {
    given = { timeout, body }
  })('all is well', { timelineFolder: folder, ...options }, scenario)
  const error = await given?.body().then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  return { timeout: given?.timeout ?? 0, error }
}

const seen: number[] = []
const fine: Scenario = (world) => {
  seen.push(world.seed)
  world.client('c', (runtime) => sleep(runtime.timers, 10))
  if (world.seed % 2 === 0) world.reached('even')
}
const fromFour: Scenario = (world) => {
  fine(world)
  world.client('d', async () => {
    if (world.seed >= 4) world.fail('four', 'the seed is too large')
  })
}

function environment(values: Partial<Record<(typeof variables)[number], string>>): void {
  for (const name of variables) {
    const value = values[name]
    if (value === undefined) delete env[name]
    else env[name] = value
  }
  seen.length = 0
}

describe('a simulation as a test', () => {
  it('passes in silence, over the seeds asked for', async () => {
    environment({})
    const { error, timeout } = await run(fine, { seeds: 5, reachedMin: { even: 0.4 } })
    expect(error).toBeUndefined()
    expect(timeout).toBe(135_000)
    expect(seen).toEqual([1, 2, 3, 4, 5])
  })

  it('fails with the seed, the way to see it again, and a picture', async () => {
    environment({})
    const { error } = await run(fromFour, { seeds: 10 })
    const message = String(error)
    expect(message).toContain('seed 4 failed')
    expect(message).toContain('HOLDFAST_SEED=4')
    expect(message).toContain("-t 'all is well'")
    const [, file = ''] = message.match(/picture: (.*)/) ?? []
    expect(existsSync(file)).toBe(true)
    expect(readFileSync(file, 'utf8')).toContain('the seed is too large')
  })

  it('HOLDFAST_SEED runs one seed alone, and asks nothing of many', async () => {
    environment({ HOLDFAST_SEED: '7' })
    expect((await run(fine, { seeds: 5, reachedMin: { even: 1 } })).error).toBeUndefined()
    expect(seen).toEqual([7])
    expect(String((await run(fromFour, { seeds: 5 })).error)).toContain('seed 7 failed')
  })

  it('HOLDFAST_SEEDS and HOLDFAST_FIRST_SEED choose others', async () => {
    environment({ HOLDFAST_SEEDS: '2', HOLDFAST_FIRST_SEED: '100' })
    await run(fine, { seeds: 5 })
    expect(seen).toEqual([100, 100, 101])
  })

  it('refuses a variable that is no number', () => {
    environment({ HOLDFAST_SEED: 'lucky' })
    return expect(run(fine, {})).rejects.toThrow('HOLDFAST_SEED is "lucky"')
  })

  it('is red if too few seeds did something, reached a label, or were decided', async () => {
    environment({})
    expect(String((await run(fine, { seeds: 4, reachedMin: { odd: 0.1 } })).error)).toContain(
      'only 0 of 4 seeds reached "odd"',
    )
    const idle: Scenario = () => {}
    expect(String((await run(idle, { seeds: 2 })).error)).toContain('only 0 of 2 seeds')
    const unsure: Scenario = (world) => {
      fine(world)
      world.check({ name: 'oracle', judge: () => ({ verdict: 'unknown' }) })
    }
    expect(String((await run(unsure, { seeds: 2 })).error)).toContain('2 seeds: oracle')
  })
})
