import { describe, expect, it } from 'vitest'
import { sleep } from '../../runtime/sleep.ts'
import { expectClean, inVirtualTime, simulate } from '../../testing/index.ts'

describe('a world without faults', () => {
  it('passes an hour in a blink', async () => {
    const passedMs = await inVirtualTime(async (_world, runtime) => {
      const startMs = runtime.clock.monotonicMs()
      await sleep(runtime.timers, 3_600_000)
      return runtime.clock.monotonicMs() - startMs
    })
    expect(passedMs).toBe(3_600_000)
  })

  it('throws what the body throws', async () => {
    await expect(
      inVirtualTime(async () => {
        throw new RangeError('mine')
      }),
    ).rejects.toThrow(RangeError)
  })

  it('runs SQL that processes of a machine share, and wakes listeners', async () => {
    await inVirtualTime(async (world, runtime) => {
      const options = { path: '/data/a.db', migrations: ['CREATE TABLE t (n INTEGER) STRICT'] }
      const file = await runtime.sql.open(options)
      const woken = new Promise<void>((resolve) => {
        file.listen('t', resolve)
      })
      world.machine('machine').process('writer', async (own) => {
        const same = await own.sql.open(options)
        await same.run({
          statements: [{ sql: 'INSERT INTO t VALUES (?1)', parameters: [7] }],
          hints: ['t'],
        })
      })
      await woken
      const { results } = await file.run({ mode: 'read', statements: [{ sql: 'SELECT n FROM t' }] })
      expect(results[0]?.rows).toEqual([{ n: 7 }])
      await file.close()
    })
  })

  it('carries bytes between machines, in order', async () => {
    const report = await simulate({ seeds: 5, twiceEvery: 1 }, (world) => {
      world.machine('server').process('echo', async (runtime) => {
        await runtime.network.listen('server:80', (stream) => {
          stream.receive({
            data: (bytes) => stream.write(bytes),
            ended: () => stream.end(),
            failed: () => {},
          })
        })
        await new Promise(() => {})
      })
      world.client('client', async (runtime) => {
        await sleep(runtime.timers, 10)
        const stream = await runtime.network.connect('server:80', { timeoutMs: 1_000 })
        const got: number[] = []
        await new Promise<void>((resolve, reject) => {
          stream.receive({
            data: (bytes) => got.push(...bytes),
            ended: resolve,
            failed: reject,
          })
          for (let n = 0; n < 100; n++) stream.write(Uint8Array.of(n, n))
          stream.end()
        })
        expect(got).toEqual(Array.from({ length: 200 }, (_, index) => index >> 1))
      })
    })
    expectClean(report, 5)
  })
})
