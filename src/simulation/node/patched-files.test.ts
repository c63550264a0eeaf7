/** `node:fs` in a world: the disk of the machine, with its faults; and modules that start anew. */
import fs from 'node:fs'
import {
  appendFile,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { sleep } from '../../runtime/sleep.ts'
import { expectClean, simulate } from '../../testing/index.ts'
import { patched } from './index.ts'

const here = dirname(fileURLToPath(import.meta.url))
const codeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'done',
    ({ code }) => code,
  )

async function alone(main: () => Promise<void>): Promise<void> {
  expectClean(await simulate({ twiceEvery: 1 }, (world) => world.client('c', patched(main))))
}

describe('node:fs in a world', () => {
  it('writes, reads, lists, moves and removes on the simulated disk, and nowhere else', async () => {
    await alone(async () => {
      await mkdir('/data', { recursive: true })
      await writeFile('/data/a', 'one')
      await appendFile('/data/a', ' two')
      await writeFile('/data/b', Uint8Array.of(1, 2, 3))
      expect(await readFile('/data/a', 'utf8')).toBe('one two')
      expect(await readFile('/data/b')).toEqual(Buffer.from([1, 2, 3]))
      expect(await readdir('/data')).toEqual(['a', 'b'])
      await rename('/data/b', '/data/c')
      await rm('/data/a')
      await rm('/data/a', { force: true })
      expect(await readdir('/data')).toEqual(['c'])
      const folder = await stat('/data')
      expect([folder.isDirectory(), (await stat('/data/c')).size]).toEqual([true, 3])
      expect(await codeOf(readFile('/data/a'))).toBe('ENOENT')
      expect(await codeOf(writeFile('/nowhere/a', ''))).toBe('ENOENT')
      expect(await codeOf(writeFile('/data/c', '', { flag: 'wx' }))).toBe('EEXIST')
    })
    expect(fs.existsSync('/data')).toBe(false)
  })

  it('file handles read and write where they are told', async () => {
    await alone(async () => {
      const file = await open('/log', 'w+')
      await file.write('hello')
      await file.write(Buffer.from('_J_'), 1, 1, 0)
      await file.sync()
      const buffer = Buffer.alloc(4)
      expect(await file.read(buffer, 1, 3, 0)).toMatchObject({ bytesRead: 3 })
      expect(String(buffer.subarray(1))).toBe('Jel')
      await file.truncate(2)
      await file.close()
      expect(await readFile('/log', { encoding: 'utf8' })).toBe('Je')
    })
  })

  it('callbacks too; descriptors, streams and synchronous writes are refused by name', async () => {
    await alone(async () => {
      await new Promise((resolve) => fs.writeFile('/x', 'text', resolve))
      const read = await new Promise((resolve) => fs.readFile('/x', (_, data) => resolve(data)))
      expect(String(read)).toBe('text')
    })
    const refused: readonly [string, () => unknown][] = [
      ['writeFileSync', () => fs.writeFileSync('/x', 'text')],
      ['createReadStream', () => fs.createReadStream('/x')],
      ['readFileSync', () => fs.readFileSync('/etc/hostname')],
      ['watch', () => fs.watch('/x')],
    ]
    for (const [name, call] of refused) {
      const report = await simulate({}, (world) => {
        world.client(
          'c',
          patched(async () => void call()),
        )
      })
      expect(report.failures[0]?.message).toContain(`fs.${name}()`)
    }
  })

  it('the files a program came with can be read, and not changed', async () => {
    const own = join(here, 'patched.ts')
    const text = fs.readFileSync(own, 'utf8')
    await alone(async () => {
      expect(await readFile(own, 'utf8')).toBe(text)
      expect(fs.readFileSync(own, 'utf8')).toBe(text)
      expect(fs.existsSync(join(here, 'nothing.ts'))).toBe(false)
      expect((await stat(own)).size).toBe(Buffer.byteLength(text))
      expect(await readdir(here)).toContain('patched.ts')
    })
  })

  it('what was not synced is gone after a power cut', async () => {
    const seen = new Set<string>()
    for (let firstSeed = 1; firstSeed <= 20; firstSeed++) {
      const report = await simulate({ firstSeed }, (world) => {
        const machine = world.machine('m')
        let lives = 0
        const main = async (): Promise<void> => {
          if (++lives === 2) {
            for (const name of ['/synced', '/loose'])
              seen.add(`${name} ${await codeOf(stat(name))}`)
            return
          }
          const file = await open('/synced', 'w')
          await file.write('text')
          await file.sync()
          const folder = await open('/loose', 'w')
          await folder.close()
          await new Promise(() => {})
        }
        machine.process('p', patched(main))
        world.client('c', async ({ timers }) => {
          await sleep(timers, 1_000)
          machine.crash()
          machine.restart()
          await sleep(timers, 1_000)
        })
      })
      expectClean(report)
    }
    expect(seen).toContain('/loose ENOENT')
  })
})

describe('modules in a world', () => {
  it('each life requires its modules anew; outside there is one', async () => {
    const require = createRequire(import.meta.url)
    const counted = (): { lives: number } => require('./counter.fixture.cjs')
    counted().lives = 100
    const seen: number[] = []
    const report = await simulate({}, (world) => {
      for (const name of ['a', 'b']) {
        const process = world.machine(name).process(
          'p',
          patched(async () => {
            counted().lives++
            seen.push(++counted().lives)
            await new Promise(() => {})
          }),
        )
        world.client(`kills ${name}`, async ({ timers }) => {
          await sleep(timers, 10)
          process.kill()
          process.restart()
          await sleep(timers, 10)
        })
      }
    })
    expectClean(report)
    expect(seen).toEqual([2, 2, 2, 2])
    expect(counted().lives).toBe(100)
  })
})
