/** What dies with a process, what dies with a machine, and what does not. */
import { describe, expect, it } from 'vitest'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import { expectClean, inVirtualTime, simulate } from '../../testing/index.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (read: Uint8Array): string => new TextDecoder().decode(read)
const forever = (): Promise<never> => new Promise(() => {})

describe('a killed process', () => {
  it('never fires a timer, settles a promise or aborts a signal again', async () => {
    await inVirtualTime(async (world, runtime) => {
      const seen: string[] = []
      const victim = world.machine('other').process('victim', async (own) => {
        const controller = new AbortController()
        controller.signal.addEventListener('abort', () => seen.push('aborted'))
        own.timers.schedule(100, () => seen.push('timer'))
        own.timers.schedule(100, () => controller.abort())
        try {
          await sleep(own.timers, 100, { signal: controller.signal })
          seen.push('slept')
        } finally {
          seen.push('finally')
        }
      })
      await sleep(runtime.timers, 50)
      victim.kill()
      expect(victim.alive).toBe(false)
      await sleep(runtime.timers, 1_000)
      expect(seen).toEqual([])
    })
  })

  it('is a new incarnation after a restart, on the same boot', async () => {
    await inVirtualTime(async (world, runtime) => {
      const lives: { incarnation: string; boot: string; atMs: number }[] = []
      const process = world.machine('other').process('p', async (own) => {
        const atMs = own.clock.monotonicMs()
        lives.push({ incarnation: own.identity.incarnation, boot: own.clock.bootId, atMs })
        await forever()
      })
      await sleep(runtime.timers, 50)
      process.kill()
      process.restart()
      process.restart() // alive already: nothing happens
      await sleep(runtime.timers, 50)
      world.machine('other').crash()
      world.machine('other').restart()
      await sleep(runtime.timers, 50)
      const [first, second, third] = lives
      expect(lives).toHaveLength(3)
      expect(new Set(lives.map((life) => life.incarnation)).size).toBe(3)
      expect(second?.boot).toBe(first?.boot)
      expect(second?.atMs).toBe((first?.atMs ?? 0) + 50)
      expect(third?.boot).not.toBe(first?.boot)
    })
  })

  it('leaves its unsynced writes in the page cache of the machine', async () => {
    await inVirtualTime(async (world, runtime) => {
      const process = world.machine('machine').process('writer', async (own) => {
        const file = await own.disk.open('a', 'create')
        await file.writeAt(0, bytes('written'))
        await forever()
      })
      await sleep(runtime.timers, 10)
      process.kill()
      const file = await runtime.disk.open('a', 'read')
      expect(text(await file.readAt(0, 100))).toBe('written')
    })
  })

  it('can do nothing more, even in the code that is running', async () => {
    await inVirtualTime(async (world, runtime) => {
      let after = false
      const process = world.machine('other').process('suicide', async (own) => {
        await sleep(own.timers, 10)
        process.kill()
        own.probe.note('from the grave')
        await own.disk.list('')
        after = true
      })
      await sleep(runtime.timers, 100)
      expect(after).toBe(false)
    })
  })
})

/** Writes `synced`, syncs, writes `second`, and reports what is there after a power cut. */
async function afterPowerCut(seed: number, syncDirectory: boolean): Promise<string | undefined> {
  let found: string | undefined
  const report = await simulate({ firstSeed: seed }, (world) => {
    const machine = world.machine('victim')
    let rounds = 0
    machine.process('writer', async (own) => {
      if (rounds++ > 0) {
        const file = await own.disk.open('log', 'read').catch(() => undefined)
        found = file === undefined ? undefined : text(await file.readAt(0, 100))
        return
      }
      const file = await own.disk.open('log', 'create')
      await file.writeAt(0, bytes('synced,'))
      await file.sync()
      if (syncDirectory) await own.disk.syncDirectory('.')
      await file.writeAt(7, bytes('second'))
      await forever()
    })
    world.client('client', async (runtime) => {
      await sleep(runtime.timers, 1_000)
      machine.crash()
      await sleep(runtime.timers, 1_000)
      machine.restart()
      await sleep(runtime.timers, 1_000)
    })
  })
  expectClean(report)
  return found
}

describe('a power cut', () => {
  it('keeps what was synced and may take or keep the rest', async () => {
    const found = new Set<string | undefined>()
    for (let seed = 1; seed <= 40; seed++) found.add(await afterPowerCut(seed, true))
    expect([...found].every((content) => content?.startsWith('synced,'))).toBe(true)
    expect(found).toContain('synced,')
    expect(found).toContain('synced,second')
  })

  it('may take a file whose folder was not synced', async () => {
    const found = new Set<string | undefined>()
    for (let seed = 1; seed <= 40; seed++) found.add(await afterPowerCut(seed, false))
    expect(found).toContain(undefined)
    expect([...found].some((content) => content?.startsWith('synced,'))).toBe(true)
  })

  it('takes relaxed commits only as a suffix, and never a full one or what came before it', async () => {
    const lost = new Set<number>()
    for (let seed = 1; seed <= 60; seed++) lost.add(await lostCommits(seed))
    expect(Math.max(...lost)).toBe(4)
    expect(lost.size).toBeGreaterThan(2)
  })
})

const ledger = { path: 'ledger', migrations: ['CREATE TABLE t (n INTEGER PRIMARY KEY) STRICT'] }

async function insert(own: Runtime, from: number, to: number, relaxed: boolean): Promise<void> {
  const file = await own.sql.open(ledger)
  for (let n = from; n <= to; n++) {
    await file.run({
      statements: [{ sql: 'INSERT INTO t VALUES (?1)', parameters: [n] }],
      durability: relaxed ? 'relaxed' : 'full',
    })
  }
}

/** Commits 1–3 relaxed, 4 full, 5–8 relaxed, cuts the power, and says how many of the last are gone. */
async function lostCommits(seed: number): Promise<number> {
  let kept: unknown[] = []
  const report = await simulate({ firstSeed: seed }, (world) => {
    const machine = world.machine('victim')
    let written = false
    machine.process('writer', async (own) => {
      if (!written) {
        await insert(own, 1, 3, true)
        await insert(own, 4, 4, false)
        await insert(own, 5, 8, true)
        written = true
        await forever()
      }
      const file = await own.sql.open(ledger)
      const select = { sql: 'SELECT n FROM t ORDER BY n' }
      const { results } = await file.run({ mode: 'read', statements: [select] })
      kept = results[0]?.rows.map((row) => row.n) ?? []
    })
    world.client('client', async (runtime) => {
      await sleep(runtime.timers, 10_000)
      machine.crash()
      machine.restart()
      await sleep(runtime.timers, 1_000)
    })
  })
  expectClean(report)
  expect(kept.length).toBeGreaterThanOrEqual(4)
  expect(kept).toEqual([1, 2, 3, 4, 5, 6, 7, 8].slice(0, kept.length))
  return 8 - kept.length
}
