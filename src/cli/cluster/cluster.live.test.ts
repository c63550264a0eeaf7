/**
 * `holdfast cluster` as its operator uses it: every command as a process of its own, on members that are
 * processes of their own.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { clusterStores } from '../../drivers/cluster/index.ts'
import { type NodeRuntime, nodeRuntime } from '../../runtime/node/index.ts'
import type { Standing } from './standing.ts'

const command = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'holdfast-cluster-cli-'))
const secret = 'a secret of some length, for tests only'
const secretFile = join(folder, 'secret')
writeFileSync(secretFile, `${secret}\n`)

const children: ChildProcess[] = []
const addresses = new Map<string, string>()
let runtime: NodeRuntime

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

function run(...rest: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [command, 'cluster', ...rest], (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      resolve({ code, stdout, stderr })
    })
  })
}

/** A command for the cluster that is reached through `m2`, and its one line of JSON. */
async function ask<Answer = Record<string, unknown>>(...rest: readonly string[]): Promise<Answer> {
  const flags = ['--members', addressOf('m2'), '--secret-file', secretFile, '--json']
  const { code, stdout, stderr } = await run(...rest, ...flags)
  expect({ code, stderr, stdout: code === 0 ? '' : stdout }).toMatchObject({ code: 0, stdout: '' })
  expect(stdout.endsWith('\n') && stdout.indexOf('\n') === stdout.length - 1).toBe(true)
  return JSON.parse(stdout)
}

function addressOf(id: string): string {
  const address = addresses.get(id)
  if (address === undefined) throw new Error(`no address of ${id}`)
  return address
}

interface Member {
  readonly output: () => string
  readonly gone: Promise<number | null>
  readonly child: ChildProcess
}

/** Resolves when it listens. */
async function start(id: string, ...more: readonly string[]): Promise<Member> {
  const flags = ['--id', id, '--listen', addressOf(id), '--folder', join(folder, id)]
  const all = ['cluster', 'start', ...flags, '--secret-file', secretFile, ...more]
  const child = spawn(process.execPath, [command, ...all], { stdio: ['ignore', 'pipe', 'pipe'] })
  children.push(child)
  let text = ''
  const gone = new Promise<number | null>((resolve) => child.once('exit', resolve))
  await new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (piece: string) => {
        text += piece
        if (text.includes('is reached at')) resolve()
      })
    }
    child.once('exit', (code) => reject(new Error(`${id} ended with ${code}: ${text}`)))
  })
  return { output: () => text, gone, child }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0))
    })
  })
}

async function count(by: bigint, at = 'm2'): Promise<bigint> {
  const options = { members: [addressOf(at)], secret, namespace: 'n' }
  const { records, close } = clusterStores(runtime, options)
  try {
    return await records.increment('space', 'key', by)
  } finally {
    await close()
  }
}

const members = new Map<string, Member>()

beforeAll(async () => {
  runtime = nodeRuntime()
  for (const id of ['m1', 'm2', 'm3', 'm4', 'm5', 'young']) {
    addresses.set(id, `127.0.0.1:${await freePort()}`)
  }
  const peers = ['m1', 'm2', 'm3'].map((id) => `${id}=${addressOf(id)}`).join(',')
  await Promise.all(
    ['m1', 'm2', 'm3'].map(async (id) => members.set(id, await start(id, '--peers', peers))),
  )
  expect(await count(41n)).toBe(41n)
})
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  await runtime.close()
  rmSync(folder, { recursive: true, force: true })
})

describe('holdfast cluster on three real members', () => {
  it('status: all of them, found through one', async () => {
    const { leader, members: all } = await ask<Standing>('status')
    expect(all.map(({ id }) => id)).toEqual(['m1', 'm2', 'm3'])
    expect(all.every(({ answers, membership }) => answers && membership === 'voter')).toBe(true)
    expect(all.find(({ role }) => role === 'leader')?.id).toBe(leader)
    const flags = ['--members', addressOf('m3'), '--secret-file', secretFile]
    const told = await run('status', ...flags)
    expect(told.code).toBe(0)
    expect(told.stdout).toMatch(/^leader m[123], term \d+\nmember +address +vote +role/)
  })

  it('RF-8: transfer makes the named one the leader', async () => {
    for (const id of ['m1', 'm2']) {
      expect(await ask('transfer', id)).toEqual({ done: 'transfer', leader: id })
      expect((await ask<Standing>('status')).leader).toBe(id)
    }
  })

  it('snapshot: each writes one', async () => {
    expect(await ask('snapshot')).toEqual({ done: 'snapshot', taken: 3, members: 3 })
    const { members: all } = await ask<Standing>('status')
    for (const { snapshotIndex } of all) expect(snapshotIndex).toBeGreaterThan(0)
  })

  it('RF-6: add a fourth, promote it, remove the first for good', async () => {
    members.set('m4', await start('m4'))
    const added = await ask('add', 'm4', addressOf('m4'))
    expect(added).toMatchObject({ done: 'add', id: 'm4', caughtUp: true })
    const before = await ask<Standing>('status')
    expect(before.members.map(({ id, membership }) => [id, membership])).toContainEqual([
      'm4',
      'learner',
    ])
    await ask('promote', 'm4')
    await ask('remove', 'm1')
    expect(await members.get('m1')?.gone).toBe(0)
    expect(members.get('m1')?.output()).toMatch(/member m1 has stopped: removed/)
    const after = await ask<Standing>('status')
    expect(after.members.map(({ id, membership }) => [id, membership])).toEqual([
      ['m2', 'voter'],
      ['m3', 'voter'],
      ['m4', 'voter'],
    ])
    const flags = ['--members', addressOf('m2'), '--secret-file', secretFile, '--json']
    const again = await run('add', 'm1', addressOf('m1'), ...flags)
    expect(again.code).toBe(3)
    expect(JSON.parse(again.stdout)).toMatchObject({ error: { outcome: 'invalid' } })
    expect(await count(0n)).toBe(41n)
  })

  it('RF-6: replace changes several at once', async () => {
    members.set('m5', await start('m5'))
    await ask('add', 'm5', addressOf('m5'))
    const { configuration } = await ask<{ configuration: { voters: string[] } }>(
      ...['replace', '--voters', 'm2,m4,m5'],
    )
    expect([...configuration.voters].sort()).toEqual(['m2', 'm4', 'm5'])
    expect(await members.get('m3')?.gone).toBe(0)
    expect(await count(0n)).toBe(41n)
  })

  it('RF-9: backup, and restore into a new cluster of one', async () => {
    const path = join(folder, 'backup')
    const { sizeBytes } = await ask<{ sizeBytes: number }>('backup', path)
    expect(readFileSync(path).length).toBe(sizeBytes)
    const flags = ['--members', addressOf('m2'), '--secret-file', secretFile]
    const twice = await run('backup', path, ...flags)
    expect([twice.code, twice.stderr]).toEqual([3, expect.stringMatching(/is there already/)])

    await start('young', '--peers', `young=${addressOf('young')}`)
    const at = ['--members', addressOf('young'), '--secret-file', secretFile]
    const restored = await run('restore', path, ...at)
    expect([restored.code, restored.stdout]).toEqual([0, expect.stringMatching(/restored 1 name/)])
    expect(await count(1n, 'young')).toBe(42n)
    expect(await count(0n), 'the old one goes its own way').toBe(41n)
    const again = await run('restore', path, ...at)
    expect(again.code, 'it is not empty any more').not.toBe(0)
  })

  it('start: SIGTERM hands over and leaves with 0; status then says who does not answer', async () => {
    await ask('transfer', 'm5')
    members.get('m5')?.child.kill('SIGTERM')
    expect(await members.get('m5')?.gone).toBe(0)
    const { leader, members: all } = await ask<Standing>('status')
    expect(['m2', 'm4']).toContain(leader)
    expect(all.find(({ id }) => id === 'm5')).toMatchObject({ answers: false, membership: 'voter' })
  })
})

describe('what goes wrong is said in one clear line', () => {
  const nobody = '127.0.0.1:1'
  const cases: readonly (readonly [string, readonly string[], number, RegExp])[] = [
    ['an unknown command', ['stauts'], 3, /there is no "cluster stauts"; expected one of start/],
    ['no members', ['status'], 3, /--members is missing/],
    ['a bad address', ['status', '--members', 'here'], 3, /"here"; expected HOST:PORT/],
    ['no id', ['promote', '--members', nobody], 3, /expected: holdfast cluster promote ID/],
    ['no voters', ['replace', '--members', nobody], 3, /--voters is missing/],
    ['no folder', ['start', '--id', 'a', '--listen', nobody], 3, /--folder is missing/],
    ['an unknown flag', ['status', '--member', nobody], 3, /--member/],
    ['a missing secret file', ['status', '--members', nobody, '--secret-file', '/no'], 3, /\/no/],
    ['no secret, no loopback', ['status', '--members', '10.0.0.1:1'], 3, /without a secret/],
    ['nothing to restore', ['restore', '/no/file', '--members', nobody], 3, /there is no/],
    ['nobody there', ['status', '--members', nobody], 1, /^$/],
  ]
  it.concurrent.each(cases)('%s', async (_, rest, code, message) => {
    const ended = await run(...rest)
    expect(ended.stderr).toMatch(message)
    expect(ended.stderr).not.toMatch(/\n\s+at /)
    expect(ended.code).toBe(code)
  })

  it('without a leader status ends with 1 and says so', async () => {
    const { code, stdout } = await run('status', '--members', nobody)
    expect([code, stdout]).toEqual([1, expect.stringMatching(/^no leader is known\n/)])
  })

  it('a wrong secret is refused', async () => {
    const wrong = join(folder, 'wrong')
    writeFileSync(wrong, 'another secret of some length, for tests')
    const flags = ['--members', addressOf('m2'), '--secret-file', wrong]
    const { code, stderr } = await run('transfer', 'm4', ...flags)
    expect([code, stderr]).toEqual([3, expect.stringMatching(/did not let us in/)])
  })

  it('help: every command is named', async () => {
    const { code, stdout } = await run('--help')
    expect(code).toBe(0)
    for (const word of ['start', 'add ID', 'backup FILE', 'restore FILE', '--secret-file']) {
      expect(stdout).toContain(word)
    }
  })
})
