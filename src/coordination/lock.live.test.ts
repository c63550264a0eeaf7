/**
 * Locks between real processes that are killed, stopped and blocked for longer than their lease.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'

const program = fileURLToPath(new URL('lock.live-child.mjs', import.meta.url))
const ttlMs = 1_000

let folder: string
let children: ChildProcess[]

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-lock-'))
  children = []
})
afterEach(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

interface Running {
  readonly child: ChildProcess
  /** The next line not yet taken. */
  line(): Promise<string>
}

function start(role: 'holder' | 'blocked' | 'next'): Running {
  const child = spawn(process.execPath, [program, role, folder, String(ttlMs)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  children.push(child)
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const line = async (): Promise<string> => (await lines.next()).value ?? 'the process ended'
  return { child, line }
}

it('LK-8: stopped for longer than its lease, a holder wakes up fenced off', async () => {
  const holder = start('holder')
  expect(await holder.line()).toBe('held 1')
  expect(await holder.line()).toBe('write accepted')
  holder.child.kill('SIGSTOP')
  const next = start('next')
  expect(await next.line()).toBe('held 2')
  expect(await next.line()).toBe('write accepted')
  holder.child.kill('SIGCONT')
  expect(await holder.line()).toBe('lost true lease-lost')
  expect(await holder.line()).toBe('write refused')
  expect(await holder.line()).toBe('released false')
  next.child.stdin?.end()
  expect(await next.line()).toBe('still held true')
  expect(await next.line()).toBe('released true')
})

it('LK-8: with the event loop blocked for longer than the lease, the check tells the truth', async () => {
  const holder = start('blocked')
  expect(await holder.line()).toBe('held 1')
  const next = start('next')
  expect(await holder.line()).toBe('write accepted')
  expect(await next.line()).toBe('held 2')
  expect(await next.line()).toBe('write accepted')
  expect(await holder.line()).toBe('aborted false, held false')
  expect(await holder.line()).toBe('lost true lease-lost')
  expect(await holder.line()).toBe('write refused')
  expect(await holder.line()).toBe('released false')
})

it('LK-2, LK-5: a killed holder blocks nobody for longer than one TTL', async () => {
  const holder = start('holder')
  expect(await holder.line()).toBe('held 1')
  const next = start('next')
  holder.child.kill('SIGKILL')
  const startMs = performance.now()
  expect(await next.line()).toBe('held 2')
  // The start of the second process is in this figure too.
  expect(performance.now() - startMs).toBeLessThan(ttlMs + 3_000)
})
