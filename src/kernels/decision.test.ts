import { describe, expect, it } from 'vitest'
import {
  CorruptDataError,
  FormatTooNewError,
  InvalidArgumentError,
  LeaseLostError,
  OutcomeUnknownError,
} from '../errors.ts'
import type { RecordStore } from '../ports/record-store.ts'
import { type Runtime, sleep } from '../runtime/index.ts'
import { inVirtualTime } from '../testing/index.ts'
import { trialRecords } from './bad-line.sim.ts'
import { decisions } from './decision.ts'
import type { Claim, Decisions, Ownership } from './decision-contract.ts'

const claim: Claim = { owner: 'a', holdMs: 1_000 }
type Kernel = Decisions<unknown, unknown>

interface Bench {
  readonly kernel: Kernel
  readonly records: RecordStore
  readonly runtime: Runtime
  /** Loses the answers of the next writes, after they took effect. */
  lose(count: number): void
}

function withKernel(body: (bench: Bench) => Promise<void>): Promise<void> {
  return inVirtualTime(async (_world, runtime) => {
    const sound = await trialRecords(runtime)
    let losses = 0
    const records: RecordStore = {
      ...sound,
      async put(write) {
        const version = await sound.put(write)
        if (losses === 0) return version
        losses -= 1
        throw new OutcomeUnknownError('the answer got lost')
      },
    }
    const kernel = decisions<unknown, unknown>(runtime, records, { space: 'd', retainMs: 60_000 })
    await body({
      kernel,
      records,
      runtime,
      lose(count) {
        losses = count
      },
    })
  })
}

async function opened(kernel: Kernel, id: string): Promise<Ownership<unknown, unknown>> {
  const { status, ...rest } = await kernel.open(id, { n: 0 }, { claim })
  if (status === 'created' && 'ownership' in rest && rest.ownership) return rest.ownership
  throw new Error(`"${id}" was there already`)
}

describe('an outcome', () => {
  it('G-5: the first one wins and stays', () =>
    withKernel(async ({ kernel }) => {
      const own = await opened(kernel, 'x')
      expect(await own.decide('yes')).toEqual({ outcome: 'yes', won: true })
      expect(await kernel.decide('x', 'no')).toEqual({ outcome: 'yes', won: false })
      expect(await kernel.claim('x', claim)).toEqual({ status: 'decided', outcome: 'yes' })
      expect(await kernel.open('x', {})).toMatchObject({ instance: { outcome: 'yes' } })
      expect(await kernel.request('x', { id: '1', body: null })).toBe('decided')
    }))

  it('G-5: can fall before the opening, and over the head of an owner', () =>
    withKernel(async ({ kernel }) => {
      await kernel.decide('early', 'no')
      expect(await kernel.open('early', {}, { claim })).toMatchObject({
        status: 'found',
        instance: { outcome: 'no' },
      })
      const own = await opened(kernel, 'y')
      await kernel.decide('y', 'no')
      await expect(own.save({ n: 1 })).rejects.toThrow(LeaseLostError)
      expect(own.signal.aborted).toBe(true)
    }))

  it('only if: decides on what is there', () =>
    withKernel(async ({ kernel }) => {
      await opened(kernel, 'x')
      expect(await kernel.decideIf('x', 'no', (seen) => seen === undefined)).toBeUndefined()
      expect(await kernel.decideIf('y', 'no', (seen) => seen === undefined)).toMatchObject({
        won: true,
      })
    }))

  it('is forgotten after its retention', () =>
    withKernel(async ({ kernel, runtime }) => {
      await kernel.decide('x', 'no')
      await sleep(runtime.timers, 61_000)
      await kernel.decide('other', 1) // sweeps
      expect(await kernel.open('x', {})).toMatchObject({ status: 'created' })
    }))
})

describe('an ownership', () => {
  it('G-4: is taken over after the hold, with a higher epoch; the old owner is refused', () =>
    withKernel(async ({ kernel, runtime }) => {
      const old = await opened(kernel, 'x')
      await old.save({ n: 1 })
      expect(await kernel.claim('x', claim)).toMatchObject({ status: 'held', owner: 'a' })
      await sleep(runtime.timers, 1_001)
      expect(old.signal.aborted).toBe(true)
      expect(old.remainingMs()).toBe(0)
      const taken = await kernel.claim('x', { owner: 'b', holdMs: 1_000 })
      if (taken.status !== 'claimed') throw new Error(taken.status)
      expect(taken.ownership.epoch).toBe(2n)
      expect(taken.ownership.state).toEqual({ n: 1 })
      await expect(old.decide('old')).rejects.toThrow(LeaseLostError)
      await expect(old.giveUp({})).rejects.toThrow(LeaseLostError)
      expect(await taken.ownership.decide('new')).toMatchObject({ won: true })
    }))

  it('is kept by renewal, up to a limit', () =>
    withKernel(async ({ kernel, runtime }) => {
      const own = await opened(kernel, 'x')
      own.keep(5_000)
      await sleep(runtime.timers, 4_000)
      expect((await kernel.claim('x', claim)).status).toBe('held')
      await sleep(runtime.timers, 3_000)
      expect((await kernel.claim('x', claim)).status).toBe('claimed')
    }))

  it('is given up until it is due, or asked for', () =>
    withKernel(async ({ kernel, runtime }) => {
      const own = await opened(kernel, 'x')
      await own.giveUp({ state: { n: 7 }, dueInMs: 2_000 })
      const due = () => kernel.claimDue({ claim, limit: 10 })
      expect((await due()).claimed).toEqual([])
      await sleep(runtime.timers, 2_001)
      const [again] = (await due()).claimed
      expect(again?.state).toEqual({ n: 7 })
      await again?.giveUp({})
      await sleep(runtime.timers, 100_000)
      expect((await due()).claimed).toEqual([])
      await kernel.request('x', { id: 'r', body: 'wake' })
      expect((await due()).claimed[0]?.requests).toEqual([{ id: 'r', body: 'wake' }])
    }))

  it('G-1: lost answers are settled, not guessed, and requests in between survive', () =>
    withKernel(async ({ kernel, lose }) => {
      lose(2)
      const own = await opened(kernel, 'x')
      expect(own.epoch).toBe(1n)
      lose(1)
      const saving = own.save({ n: 1 })
      const asking = kernel.request('x', { id: 'r', body: 1 })
      await Promise.all([saving, asking])
      await own.extend()
      expect(own.requests).toEqual([{ id: 'r', body: 1 }])
      lose(1)
      await own.save({ n: 2 }, { answered: ['r'] })
      expect(await kernel.read('x')).toMatchObject({ state: { n: 2 }, requests: [] })
      lose(2)
      expect(await own.decide('yes')).toEqual({ outcome: 'yes', won: true })
    }))

  it('G-1: a request that got lost is not taken for another one that joined meanwhile', () =>
    withKernel(async ({ kernel, records, runtime }) => {
      await opened(kernel, 'x')
      // The first write never arrives; before it is sent again, somebody else's request is stored.
      let first = true
      const unlucky: RecordStore = {
        ...records,
        async put(write) {
          if (!first) return records.put(write)
          first = false
          expect(await kernel.request('x', { id: 'other', body: 1 })).toBe('stored')
          throw new OutcomeUnknownError('nobody knows that nothing happened')
        },
      }
      const asker = decisions(runtime, unlucky, { space: 'd', retainMs: 60_000 })
      expect(await asker.request('x', { id: 'mine', body: 2 })).toBe('stored')
      expect(await kernel.read('x')).toMatchObject({
        requests: [
          { id: 'other', body: 1 },
          { id: 'mine', body: 2 },
        ],
      })
    }))
})

describe('limits and formats', () => {
  it('G-11: at most 32 requests wait', () =>
    withKernel(async ({ kernel }) => {
      await opened(kernel, 'x')
      for (let index = 0; index < 32; index += 1) {
        expect(await kernel.request('x', { id: `${index}`, body: 0 })).toBe('stored')
      }
      expect(await kernel.request('x', { id: '0', body: 0 })).toBe('stored')
      expect(await kernel.request('x', { id: 'one more', body: 0 })).toBe('full')
    }))

  it('a crowd that nobody here can serve does not hide the rest for ever', () =>
    withKernel(async ({ kernel, runtime }) => {
      for (let index = 0; index < 40; index += 1) {
        await kernel.open(`strange-${String(index).padStart(2, '0')}`, 'strange')
      }
      await sleep(runtime.timers, 10)
      await kernel.open('mine', 'mine')
      const look = () => kernel.claimDue({ claim, limit: 1, accept: (state) => state === 'mine' })
      expect((await look()).claimed).toEqual([])
      await sleep(runtime.timers, 20)
      const found = [await look(), await look(), await look()].flatMap(({ claimed }) => claimed)
      expect(found.map(({ id }) => id)).toEqual(['mine'])
      await sleep(runtime.timers, 10_001)
      expect((await kernel.claimDue({ claim, limit: 100 })).claimed).toHaveLength(41)
    }))

  it('G-10: reads what version 1 wrote; refuses what is newer or damaged', () =>
    withKernel(async ({ kernel, records, runtime }) => {
      const write = (key: string, value: string) =>
        records.put({ space: 'd', key, value, expected: 'any' })
      await write(
        'open',
        '{"format":1,"status":"open","epoch":"3","stamp":"s","owner":"a","state":{"n":1},"requests":[]}',
      )
      await write('done', '{"format":1,"status":"decided","epoch":"4","stamp":"s","outcome":"yes"}')
      await write('new', '{"format":2,"status":"open"}')
      await write('bad', '{"format":1}')
      expect(await kernel.read('open')).toEqual({
        id: 'open',
        status: 'open',
        epoch: 3n,
        owner: 'a',
        state: { n: 1 },
        requests: [],
      })
      expect(await kernel.read('done')).toEqual({
        id: 'done',
        status: 'decided',
        epoch: 4n,
        outcome: 'yes',
      })
      await expect(kernel.read('new')).rejects.toThrow(FormatTooNewError)
      await expect(kernel.read('bad')).rejects.toThrow(CorruptDataError)
      for (const key of ['bad', 'new']) {
        await records.put({ space: 'd', key, value: '{"format":2}', expected: 'any', dueInMs: 0 })
      }
      await kernel.open('good', {})
      await sleep(runtime.timers, 10)
      const { claimed, unreadable } = await kernel.claimDue({ claim, limit: 5 })
      expect([claimed.map(({ id }) => id), unreadable]).toEqual([['good'], ['bad', 'new']])
    }))

  it('G-9: bad input is refused', () =>
    withKernel(async ({ kernel }) => {
      await expect(kernel.open('', {})).rejects.toThrow(InvalidArgumentError)
      await expect(kernel.open('x', 1n)).rejects.toThrow(InvalidArgumentError)
      const hasty = { owner: 'a', holdMs: 1 }
      await expect(kernel.open('x', {}, { claim: hasty })).rejects.toThrow(InvalidArgumentError)
    }))
})
