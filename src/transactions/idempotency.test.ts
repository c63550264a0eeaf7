import { describe, expect, it } from 'vitest'
import {
  InvalidArgumentError,
  KeyReusedError,
  OutcomeUnknownError,
  UnavailableError,
} from '../errors.ts'
import { trialRecords } from '../kernels/bad-line.sim.ts'
import { type Runtime, sleep } from '../runtime/index.ts'
import type { World } from '../simulation/world.ts'
import { inVirtualTime } from '../testing/index.ts'
import { type Idempotency, idempotency } from './idempotency.ts'

const request = { operation: 'POST /payments', fingerprint: 'amount=10' }
const holdMs = 1_000

function withKeys(
  body: (keys: Idempotency, runtime: Runtime, world: World) => Promise<void>,
): Promise<void> {
  return inVirtualTime(async (world, runtime) => {
    const keys = idempotency(runtime, await trialRecords(runtime), { holdMs, retainMs: 60_000 })
    await body(keys, runtime, world)
  })
}

describe('one key, one answer', () => {
  it('IK-1: of two at once one works, the other waits for the answer', () =>
    withKeys(async (keys, runtime) => {
      let worked = 0
      const work = async () => {
        worked += 1
        await sleep(runtime.timers, 300)
        return { status: 201, headers: { location: '/payments/7' }, body: 'done' }
      }
      const patient = { ...request, waitMs: 5_000 }
      const both = await Promise.all([keys.run('k', patient, work), keys.run('k', patient, work)])
      expect(worked).toBe(1)
      expect(both.map(({ status }) => status).sort()).toEqual(['executed', 'replayed'])
      const [one, other] = both.map((answer) => 'response' in answer && answer.response)
      expect(one).toEqual(other)
    }))

  it('IK-1: or is told that it is under way, and replays later', () =>
    withKeys(async (keys, runtime) => {
      const first = keys.run('k', request, async () => {
        await sleep(runtime.timers, 3_000) // longer than the hold: it is renewed
        return 'done'
      })
      await sleep(runtime.timers, 2_000)
      const hasty = await keys.run('k', request, async () => 'again')
      expect(hasty).toMatchObject({ status: 'in-progress' })
      expect(await first).toEqual({ status: 'executed', response: 'done' })
      const late = await keys.run('k', request, async () => 'again')
      expect(late).toEqual({ status: 'replayed', response: 'done' })
    }))

  it('G-8: the wait can be aborted', () =>
    withKeys(async (keys, runtime) => {
      const first = keys.run('k', request, () => sleep(runtime.timers, 2_000))
      await sleep(runtime.timers, 100)
      const stop = new AbortController()
      const waiting = keys.run(
        'k',
        { ...request, waitMs: 60_000, signal: stop.signal },
        async () => {},
      )
      runtime.timers.schedule(200, () => stop.abort())
      await expect(waiting).rejects.toMatchObject({ code: 'cancelled' })
      await first
    }))

  it('IK-2: another content, operation or tenant is another matter', () =>
    withKeys(async (keys) => {
      await keys.run('k', { ...request, tenant: 'a' }, async () => 'of a')
      for (const other of [{ fingerprint: 'amount=11' }, { operation: 'POST /refunds' }]) {
        const work = keys.run('k', { ...request, tenant: 'a', ...other }, async () => 'of a')
        await expect(work).rejects.toThrow(KeyReusedError)
      }
      const b = await keys.run('k', { ...request, tenant: 'b' }, async () => 'of b')
      expect(b).toEqual({ status: 'executed', response: 'of b' })
      // 'a' + 'b/k' is not 'a/b' + 'k'
      await keys.run('b/k', { ...request, tenant: 'x' }, async () => 1)
      const odd = await keys.run('k', { ...request, tenant: 'x/b' }, async () => 2)
      expect(odd).toEqual({ status: 'executed', response: 2 })
    }))

  it('IK-2: other content is refused while the first is still at work', () =>
    withKeys(async (keys, runtime) => {
      const first = keys.run('k', request, () => sleep(runtime.timers, 500))
      await sleep(runtime.timers, 100)
      const other = keys.run('k', { ...request, fingerprint: 'other' }, async () => {})
      await expect(other).rejects.toThrow(KeyReusedError)
      await first
    }))
})

describe('failures', () => {
  it('IK-5: a failure that may pass frees the key at once', () =>
    withKeys(async (keys) => {
      const epochs: bigint[] = []
      for (const error of [
        new UnavailableError('x'),
        new OutcomeUnknownError('y'),
        new Error('z'),
      ]) {
        const work = keys.run('k', request, async ({ epoch }) => {
          epochs.push(epoch)
          throw error
        })
        await expect(work).rejects.toBe(error)
      }
      const answer = await keys.run('k', request, async ({ epoch }) => {
        epochs.push(epoch)
        return 'at last'
      })
      expect(answer).toEqual({ status: 'executed', response: 'at last' })
      expect(epochs).toEqual([1n, 2n, 3n, 4n])
    }))

  it('IK-5: an error that is an answer is kept and thrown again', () =>
    withKeys(async (keys) => {
      let worked = 0
      const work = async () => {
        worked += 1
        throw new InvalidArgumentError('amount is -1')
      }
      await expect(keys.run('k', request, work)).rejects.toThrow(InvalidArgumentError)
      const again = keys.run('k', request, work)
      await expect(again).rejects.toMatchObject({
        code: 'invalid-argument',
        outcome: 'invalid',
        message: 'amount is -1',
      })
      expect(worked).toBe(1)
    }))

  it('IK-5: a response that cannot be kept does not make the work be done again', () =>
    withKeys(async (keys) => {
      let worked = 0
      const work = async () => {
        worked += 1
        return 'x'.repeat(70_000)
      }
      for (let round = 0; round < 2; round += 1) {
        const answer = keys.run('k', request, work)
        await expect(answer).rejects.toMatchObject({ code: 'response-not-kept' })
      }
      expect(worked).toBe(1)
    }))

  it('IK-5: after the retention the key is fresh, also if it was never finished', () =>
    withKeys(async (keys, runtime) => {
      await keys.run('k', request, async () => 1)
      await keys.run('l', request, () => Promise.reject(new UnavailableError('x'))).catch(() => {})
      await sleep(runtime.timers, 61_000)
      for (const key of ['k', 'l']) {
        const answer = await keys.run(key, request, async ({ epoch }) => String(epoch))
        expect(answer).toEqual({ status: 'executed', response: '1' })
      }
    }))

  it('IK-6: empty and oversized keys are refused', () =>
    withKeys(async (keys) => {
      for (const key of ['', '  ', 'x'.repeat(256), '\ud800']) {
        await expect(keys.run(key, request, async () => 1)).rejects.toThrow(InvalidArgumentError)
      }
    }))
})

describe('an owner who goes away', () => {
  it('IK-3: is taken over from the recovery point, with a higher epoch; coming late he is refused', () =>
    withKeys(async (keys, runtime, world) => {
      const told: unknown[] = []
      const sleeper = world.machine('machine').process('sleeper', async (own) => {
        const mine = idempotency(own, await trialRecords(own), { holdMs })
        const answer = await mine.run('k', { ...request, waitMs: 1_000 }, async (attempt) => {
          await attempt.save({ charged: 'c-7' })
          await sleep(own.timers, 300)
          return 'from the sleeper'
        })
        told.push(answer)
        await new Promise(() => {})
      })
      await sleep(runtime.timers, 100)
      sleeper.pause(5_000)
      const patient = { ...request, waitMs: 4_000 }
      const answer = await keys.run('k', patient, async ({ epoch, recoveryPoint }) => [
        String(epoch),
        recoveryPoint,
      ])
      expect(answer).toEqual({ status: 'executed', response: ['2', { charged: 'c-7' }] })
      await sleep(runtime.timers, 10_000)
      expect(told).toMatchObject([{ response: ['2', { charged: 'c-7' }] }])
    }))

  it('IK-3: who saves after a takeover is refused and gets the answer of the new owner', () =>
    withKeys(async (keys, runtime, world) => {
      const told: unknown[] = []
      const sleeper = world.machine('machine').process('sleeper', async (own) => {
        const mine = idempotency(own, await trialRecords(own), { holdMs })
        const answer = await mine.run('k', { ...request, waitMs: 1_000 }, async (attempt) => {
          await sleep(own.timers, 300)
          await attempt.save('too late')
          return 'from the sleeper'
        })
        told.push(answer)
        await new Promise(() => {})
      })
      await sleep(runtime.timers, 100)
      sleeper.pause(5_000)
      const answer = await keys.run('k', { ...request, waitMs: 4_000 }, async () => 'from here')
      expect(answer).toEqual({ status: 'executed', response: 'from here' })
      await sleep(runtime.timers, 10_000)
      expect(told).toEqual([{ status: 'replayed', response: 'from here' }])
    }))
})
