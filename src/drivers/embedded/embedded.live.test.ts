/**
 * The same cases on the real runtime, with a real file and real time; then real processes that are
 * stopped and killed.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { LeaseLostError } from '../../errors.ts'
import { leaseStoreConformance } from '../../ports/lease-store.conformance.ts'
import type { Lease, LeaseStore } from '../../ports/lease-store.ts'
import { registryConformance } from '../../ports/registry.conformance.ts'
import { nodeRuntime } from '../../runtime/node/index.ts'
import { sleep } from '../../runtime/sleep.ts'
import { embedded } from './embedded.ts'
import { runCase, titleOf } from './embedded-trial.ts'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-'))
const path = join(folder, 'trial.db')
const runtime = nodeRuntime({ process: 'trial' })
const children = new Set<ChildProcess>()

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  await runtime.close()
  rmSync(folder, { recursive: true, force: true })
})

describe('embedded leases, on a real file', () => {
  for (const testCase of leaseStoreConformance) {
    it(titleOf(testCase), () => runCase(runtime, testCase, { path, pick: ({ leases }) => leases }))
  }
})

describe('embedded registry, on a real file', () => {
  for (const testCase of registryConformance) {
    it(titleOf(testCase), () =>
      runCase(runtime, testCase, { path, pick: ({ registry }) => registry }),
    )
  }
})

describe('embedded leases, between real processes', () => {
  it('LK-8: a holder stopped for longer than its lease finds out, and its token is old', async () => {
    const stores = await embedded(runtime, { path, namespace: 'stopped' })
    const child = holder('stopped')
    const { token } = await child.said('held')
    child.process.kill('SIGSTOP')
    const lease = await takeOver(stores.leases)
    expect(lease.token).toBeGreaterThan(BigInt(token))
    child.process.kill('SIGCONT')
    expect(await child.said('lost')).toMatchObject({ error: LeaseLostError.name, valid: false })
    await expect(stores.leases.release(lease)).resolves.toBe(true)
    await stores.close()
  })

  it('LK-5: a holder that was killed blocks the name for one time to live', async () => {
    const stores = await embedded(runtime, { path, namespace: 'killed' })
    const child = holder('killed')
    const { token } = await child.said('held')
    child.process.kill('SIGKILL')
    const sinceMs = runtime.clock.monotonicMs()
    const lease = await takeOver(stores.leases)
    expect(runtime.clock.monotonicMs() - sinceMs).toBeLessThan(ttlMs + 2_000)
    expect(lease.token).toBeGreaterThan(BigInt(token))
    await stores.close()
  })
})

const ttlMs = 1_000

async function takeOver(leases: LeaseStore): Promise<Lease> {
  for (let tries = 0; tries < 200; tries += 1) {
    const lease = await leases.acquire({
      name: 'the-one',
      ttlMs: 60_000,
      attemptId: runtime.random.id('test'),
    })
    if (lease !== undefined) return lease
    await sleep(runtime.timers, 50)
  }
  throw new Error('the name was never free')
}

/** A process that takes the name and keeps it, until a renewal is refused. */
const holderProgram = `
  const [dist, path, namespace, ttlMs] = process.argv.slice(1)
  const { embedded } = await import(dist + '/drivers/embedded/index.js')
  const { nodeRuntime } = await import(dist + '/runtime/node/index.js')
  const say = (kind, data) => console.log(JSON.stringify({ kind, ...data }))
  const runtime = nodeRuntime()
  const { leases } = await embedded(runtime, { path, namespace })
  let lease = await leases.acquire({ name: 'the-one', ttlMs: +ttlMs, attemptId: 'child' })
  say('held', { token: String(lease.token) })
  const keep = async () => {
    const valid = () => runtime.clock.monotonicMs() < lease.validUntilMs
    try {
      lease = await leases.renew(lease, +ttlMs)
      setTimeout(keep, ttlMs / 3)
    } catch (error) {
      say('lost', { error: error.name, valid: valid() })
      process.exit()
    }
  }
  await keep()
`

interface Holder {
  readonly process: ChildProcess
  /** The next line of this kind. */
  said(kind: string): Promise<{ readonly token: string }>
}

function holder(namespace: string): Holder {
  const dist = fileURLToPath(new URL('../../../dist', import.meta.url))
  const program = ['--input-type=module', '-e', holderProgram]
  const child = spawn(process.execPath, [...program, dist, path, namespace, String(ttlMs)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.add(child)
  const lines: { readonly kind: string; readonly token: string }[] = []
  let told = (): void => {}
  let rest = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split('\n')
    rest = parts.pop() ?? ''
    lines.push(...parts.map((line) => JSON.parse(line)))
    told()
  })
  return {
    process: child,
    async said(kind) {
      for (;;) {
        const line = lines.find((candidate) => candidate.kind === kind)
        if (line !== undefined) return line
        await new Promise<void>((resolve) => {
          told = resolve
        })
      }
    },
  }
}
