/** What a failure leaves behind: a small case to replay, and a picture that tells the truth. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import { type Fixture, type SimulationFailure, simulate } from '../../testing/index.ts'
import { seedKey } from '../chance.ts'
import { runOnce } from '../run.ts'
import type { World } from '../world.ts'
import { nodePlatform } from './platform.ts'

const forever = (): Promise<never> => new Promise(() => {})

/** Beats; whoever listens calls it an outage when nothing came for 1.5 s. Three onlookers do nothing. */
function heartbeat(world: World): void {
  world.machine('heart').process('beat', async (own) => {
    const socket = await own.network.bind('heart:1', () => {})
    for (;;) {
      socket.send('ear:1', Uint8Array.of(1))
      await sleep(own.timers, 100)
    }
  })
  const ear = world.machine('ear')
  ear.client('listen', async (own) => {
    let lastMs = own.clock.monotonicMs()
    await own.network.bind('ear:1', () => {
      lastMs = own.clock.monotonicMs()
    })
    for (let check = 0; check < 200; check++) {
      await sleep(own.timers, 50)
      if (own.clock.monotonicMs() - lastMs > 1_500) world.fail('outage', 'nothing for 1.5 s')
    }
  })
  for (const name of ['d', 'e', 'f']) {
    world.machine(name).process('idle', forever, { optional: true })
  }
  world.client('onlooker', (own: Runtime) => sleep(own.timers, 5_000), { optional: true })
}

const options = { seeds: 100, faults: 'all', durationMs: 10_000, shrink: true } as const

async function failing(): Promise<SimulationFailure & { readonly fixture: Fixture }> {
  const [failure] = (await simulate(options, heartbeat)).failures
  if (failure?.fixture === undefined) throw new Error('nothing failed')
  return { ...failure, fixture: failure.fixture }
}

describe('shrinking', () => {
  it('leaves one fault, no longer than it must be, and nobody who does not matter', async () => {
    const { fixture, faults } = await failing()
    expect(faults.length).toBeGreaterThan(1)
    expect(fixture.faults).toHaveLength(1)
    const [least] = fixture.faults
    const whole = faults.find(({ id }) => id === least?.id)
    expect(least?.durationMs ?? 0).toBeLessThanOrEqual(whole?.durationMs ?? 0)
    expect(least?.durationMs ?? 99_999).toBeLessThan(4_000)
    expect([...fixture.absent].sort()).toEqual(['d/idle', 'e/idle', 'f/idle', 'onlooker/client'])
  })

  it('gives a fixture that replays after a journey through JSON, whatever the other options', async () => {
    const { fixture } = await failing()
    const plan: Fixture = JSON.parse(JSON.stringify(fixture))
    const replay = await simulate({ seeds: 7, durationMs: 1, plan }, heartbeat)
    expect(replay.seeds).toBe(1)
    expect(replay.failures[0]).toMatchObject({ name: 'outage', seed: fixture.seed })
    const calm = await simulate({ plan: { ...plan, faults: [] } }, heartbeat)
    expect(calm.failures).toEqual([])
  })

  it('refuses a fixture of a later format', async () => {
    const { fixture } = await failing()
    const plan = { ...fixture, format: 2 } as unknown as Fixture
    await expect(simulate({ plan }, heartbeat)).rejects.toThrow('format 2')
  })
})

describe('the picture', () => {
  it('shows in text who spoke, what never came, which fault lay over it, and the violation', async () => {
    const { timeline } = await failing()
    const text = (await timeline?.())?.text() ?? ''
    expect(text).toContain('VIOLATION outage: nothing for 1.5 s')
    expect(text).toMatch(/[▶◀]/)
    expect(text).toMatch(/▼ \S+: f\d+/)
    expect(text.split('\n').length).toBeLessThan(55)
    expect((await timeline?.())?.text(5).split('\n').length).toBeLessThan(20)
  })

  it('is one page that asks nobody for anything', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'timeline-'))
    try {
      const report = await simulate({ ...options, timelineFolder: folder }, heartbeat)
      const file = report.failures[0]?.timelineFile ?? ''
      const page = await readFile(file, 'utf8')
      expect(file).toBe(join(folder, `${report.failures[0]?.seed}.html`))
      expect(page.replaceAll('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:|src=|href=/)
      expect(page).toContain('prefers-color-scheme: dark')
      const [, json = ''] = page.match(/id="recording">(.*?)<\/script>/s) ?? []
      const recording = JSON.parse(json)
      expect(recording.lanes).toContain('heart/beat')
      expect(recording.marks.at(-1)?.kind ?? '').toBeTypeOf('string')
      expect(recording.messages.length).toBeGreaterThan(5)
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('shows who leads in which term, and nobody who is dead', async () => {
    const options = { seeds: 1, faults: 'none', durationMs: 1_000 } as const
    const report = await simulate(options, (world) => {
      const member = (name: string, roles: readonly (readonly [number, string])[]) =>
        world.machine(name).process('member', async (own) => {
          for (const [term, role] of roles) {
            own.probe.note('raft-role', { term, role })
            await sleep(own.timers, 50)
          }
          await forever()
        })
      const first = member('a', [
        [1, 'candidate'],
        [1, 'leader'],
      ])
      member('b', [
        [1, 'follower'],
        [3, 'candidate'],
        [3, 'leader'],
      ])
      world.client('client', async (own) => {
        await sleep(own.timers, 75)
        first.kill()
        await sleep(own.timers, 200)
        own.probe.note('the end')
        world.fail('over', 'as wanted')
      })
    })
    const timeline = await report.failures[0]?.timeline?.()
    const text = timeline?.text() ?? ''
    const cellsAt = (what: RegExp): string => text.split('\n').find((line) => what.test(line)) ?? ''
    expect(cellsAt(/"term":3,"role":"candidate"/)).toMatch(/^ +5\d\.\d+ {2}┃1 ·/)
    expect(cellsAt(/a\/member: kill/)).toMatch(/✗ {2}╎3 /)
    expect(cellsAt(/the end/)).toMatch(/^ +\d+\.\d+ {2}│ {2}┃3 /)
    const [, json = ''] = timeline?.html().match(/id="recording">(.*?)<\/script>/s) ?? []
    const { roles } = JSON.parse(json)
    expect(roles.filter(({ lane }: { lane: string }) => lane === 'a/member')).toMatchObject([
      { term: 1, role: 'candidate' },
      { term: 1, role: 'leader', untilUs: expect.any(Number) },
    ])
  })

  it('does not change what it shows: a recorded run has the same trace', async () => {
    const { faults, seed } = await failing()
    const settings = { durationMs: 10_000, livenessMs: 600_000, eventsMax: 1_000_000, rough: true }
    const run = async (record: boolean): Promise<string> => {
      const given = { ...settings, seed, plan: faults, record }
      return (await runOnce(nodePlatform(), given, heartbeat)).traceHash
    }
    expect(seedKey(seed)).toBeTypeOf('number')
    expect(await run(true)).toBe(await run(false))
  })

  it('keeps a page whole whatever a note says', async () => {
    const [failure] = (
      await simulate({}, (world) => {
        world.client('c', async (own) => {
          own.probe.note('</script><b>', { html: '<!--' })
          world.fail('<img>', 'a & b')
        })
      })
    ).failures
    const page = (await failure?.timeline?.())?.html() ?? ''
    expect(page).not.toContain('</script><b>')
    expect(page).toContain('&lt;img&gt;: a &amp; b')
  })
})
