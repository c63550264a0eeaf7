import { describe, expect, it } from 'vitest'
import {
  ConfigurationError,
  InvalidArgumentError,
  outcomeOf,
  UnavailableError,
} from '../../errors.ts'
import { sleep } from '../../runtime/sleep.ts'
import { inVirtualTime } from '../../testing/index.ts'
import {
  bytes,
  firstMembers,
  leaderOf,
  type Member,
  startMember,
  startMembers,
  until,
} from './members.sim.ts'
import { raftHost } from './raft-host.ts'
import { raftStorage } from './storage.ts'

const ids = ['a', 'b', 'c']
const wait = { timeoutMs: 5_000 }
const text = (value: Uint8Array): string => new TextDecoder().decode(value)
const others = (all: readonly Member[], one: Member): Member[] => all.filter((it) => it !== one)

async function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  )
}

describe('a cluster of three', () => {
  it('agrees on commands from any member, in one order', () =>
    inVirtualTime(async (world, runtime) => {
      const members = await startMembers(world, ids)
      const answers = await Promise.all(
        members.map(({ host }) => host.propose(bytes(host.id), wait)),
      )
      expect(answers.map(text).sort()).toEqual(['1', '2', '3'])
      await until(runtime, () => members.every(({ machine }) => machine.list.length === 3))
      expect(new Set(members.map(({ machine }) => machine.list.join())).size).toBe(1)
    }))

  it('RF-8: what is proposed in one turn is one write, one sync and one message each', () =>
    inVirtualTime(async (world, runtime) => {
      let writes = 0
      const members = await startMembers(world, ids, {
        parts: {
          async openStorage(on, options) {
            const storage = await raftStorage(on, options)
            return {
              ...storage,
              async write(batch) {
                if (batch.some(({ entries }) => entries.length > 0)) writes += 1
                await storage.write(batch)
              },
            }
          },
        },
      })
      const leader = await leaderOf(runtime, members)
      await leader.host.propose(bytes('first'), wait)
      await sleep(runtime.timers, 100)
      writes = 0
      const all = Array.from({ length: 256 }, (_, number) => bytes(`${number}`))
      await Promise.all(all.map((command) => leader.host.propose(command, wait)))
      await until(runtime, () => members.every(({ machine }) => machine.list.length === 257))
      expect(writes).toBe(3)
    }))

  it('RF-5: a barrier shows every write that had ended, on any member', () =>
    inVirtualTime(async (world) => {
      const members = await startMembers(world, ids)
      for (let round = 0; round < 10; round += 1) {
        const writer = members[round % 3]
        const reader = members[(round + 1) % 3]
        await writer?.host.propose(bytes(`${round}`), wait)
        await reader?.host.readBarrier('quorum', wait)
        expect(reader?.machine.list).toContain(`${round}`)
      }
    }))

  it('RF-5: a leader cut off answers no read, and says of a write that nobody knows', () =>
    inVirtualTime(async (world, runtime) => {
      const members = await startMembers(world, ids)
      const leader = await leaderOf(runtime, members)
      for (const { host } of others(members, leader)) {
        world.faults.partition(leader.host.id, host.id)
      }
      const read = failure(leader.host.readBarrier('quorum', { timeoutMs: 1_000 }))
      const write = failure(leader.host.propose(bytes('doubt'), { timeoutMs: 1_000 }))
      expect(await read).toBeInstanceOf(UnavailableError)
      expect(outcomeOf(await write)).toBe('unknown')
      const next = await leaderOf(runtime, others(members, leader))
      await next.host.propose(bytes('sure'), wait)
      world.faults.heal()
      await until(runtime, () => leader.machine.list.includes('sure'))
      expect(leader.machine.list).toEqual(next.machine.list)
    }))

  it('a proposal that no leader took did not happen', () =>
    inVirtualTime(async (world) => {
      const [alone] = await startMembers(world, ['a'], { bootstrap: firstMembers(ids) })
      const error = await failure(
        alone?.host.propose(bytes('x'), { timeoutMs: 2_000 }) ?? Promise.resolve(),
      )
      expect(error).toBeInstanceOf(UnavailableError)
      expect(outcomeOf(error)).toBe('not-applied')
    }))

  it('RF-8: hands leadership over when asked, and when closed', () =>
    inVirtualTime(async (world, runtime) => {
      const members = await startMembers(world, ids)
      const leader = await leaderOf(runtime, members)
      const [target] = others(members, leader)
      await leader.host.transfer(target?.host.id ?? '', wait)
      expect((await leaderOf(runtime, members)).host.id).toBe(target?.host.id)
      const closedAtMs = world.nowMs()
      await target?.host.close()
      expect(await target?.host.stopped).toEqual({ kind: 'closed' })
      await leaderOf(runtime, others(members, target as Member))
      // Much sooner than the others would have found out by themselves.
      expect(world.nowMs() - closedAtMs).toBeLessThan(150)
    }))
})

describe('members come and go', () => {
  it('one that was away for long is spoken to as soon as it is back', () =>
    inVirtualTime(async (world, runtime) => {
      const members = await startMembers(world, ids)
      const leader = await leaderOf(runtime, members)
      let [away] = others(members, leader)
      for (let round = 0; round < 5; round += 1) {
        away?.process.kill()
        // Long enough for the longest rest between two attempts to reach it.
        await sleep(runtime.timers, 10_000 + 70 * round)
        const folder = `/raft${'/'.repeat(round + 1)}`
        away = await startMember(world, away?.host.id ?? '', { ids, folder })
        const backMs = runtime.clock.monotonicMs()
        const { host } = away
        await until(runtime, () => host.status().leader === leader.host.id)
        expect(runtime.clock.monotonicMs() - backMs).toBeLessThan(100)
      }
    }))

  it('RF-6, RF-7: a new member gets a snapshot, is promoted, and one is removed and stops', () =>
    inVirtualTime(async (world, runtime) => {
      const members = await startMembers(world, ids, { snapshotEveryEntries: 20, keepEntries: 2 })
      for (let at = 0; at < 60; at += 1) await members[0]?.host.propose(bytes(`${at}`), wait)
      const leader = await leaderOf(runtime, members)
      const joiner = await startMember(world, 'd', { ids: [] })
      await leader.host.change({ kind: 'add-learner', member: 'd', address: 'd:7000' }, wait)
      await until(runtime, () => joiner.machine.list.length === 60)
      expect(joiner.seen.get('raftSnapshotInstalled')).toBe(1)
      await until(runtime, () =>
        leader.host.status().followers.some(({ id, mode }) => id === 'd' && mode === 'replicating'),
      )
      await leader.host.change({ kind: 'promote', member: 'd' }, wait)
      const [victim] = others(members, leader)
      const after = await leader.host.change(
        { kind: 'remove', member: victim?.host.id ?? '' },
        wait,
      )
      expect(after.voters).toHaveLength(3)
      expect(await victim?.host.stopped).toEqual({ kind: 'removed' })
      await joiner.host.propose(bytes('from the new one'), wait)
    }))

  it('RF-6: a wiped disk is refused under its old name, by all who knew the old one', () =>
    inVirtualTime(async (world, runtime) => {
      const members = await startMembers(world, ids)
      await leaderOf(runtime, members)
      await until(runtime, () =>
        members.every(({ seen }) => (seen.get('raftLinksOpened') ?? 0) >= 2),
      )
      const [a, b, c] = members as [Member, Member, Member]
      c.process.kill()
      const wiped = await startMember(world, 'c', { ids, folder: '/replaced' })
      await sleep(runtime.timers, 3_000)
      expect(wiped.host.status().leader).toBeUndefined()
      expect((a.seen.get('disk') ?? 0) + (b.seen.get('disk') ?? 0)).toBeGreaterThan(0)
      await a.host.propose(bytes('we go on'), wait)
      expect(wiped.host.status().lastIndex).toBe(0)
    }))
})

describe('a member started twice by mistake', () => {
  it('RF-1: finds the address in use, and has not touched the log of the one that is alive', () =>
    inVirtualTime(async (world, runtime) => {
      const members = await startMembers(world, ids)
      await leaderOf(runtime, members)
      const [a] = members as [Member, Member, Member]
      let opened = 0
      const openStorage: typeof raftStorage = (...parameters) => {
        opened += 1
        return raftStorage(...parameters)
      }
      const again = { ids, on: 'a', parts: { openStorage } }
      expect(await failure(startMember(world, 'a', again))).toBeInstanceOf(ConfigurationError)
      expect(opened).toBe(0)
      await a.host.propose(bytes('still here'), wait)
      // Not refused for being another start, but for the address.
      await startMember(world, 'a', { ...again, listen: '0.0.0.0:7001', folder: '/spare' })
      expect(opened).toBe(1)
    }))

  it('gives the address back when it cannot start', () =>
    inVirtualTime(async (world) => {
      const openStorage = (): Promise<never> => Promise.reject(new UnavailableError('no disk'))
      const broken = { ids, parts: { openStorage } }
      expect(await failure(startMember(world, 'a', broken))).toBeInstanceOf(UnavailableError)
      await startMember(world, 'a', { ids, folder: '/whole' })
    }))
})

describe('a disk that fails', () => {
  it('RF-10: full, the leader hands over, stops and says why; nobody waits for an election', () =>
    inVirtualTime(async (world, runtime) => {
      let full = false
      const members = await startMembers(world, ids, {
        parts: {
          async openStorage(on, options) {
            const storage = await raftStorage(on, options)
            return {
              ...storage,
              async write(batch) {
                if (full && on.identity.machine === victim) throw new UnavailableError('full')
                await storage.write(batch)
              },
            }
          },
        },
      })
      let victim = ''
      const leader = await leaderOf(runtime, members)
      victim = leader.host.id
      await leader.host.propose(bytes('before'), wait)
      await sleep(runtime.timers, 200)
      full = true
      const doubt = failure(leader.host.propose(bytes('during'), wait))
      expect(await leader.host.stopped).toMatchObject({ kind: 'disk' })
      expect(outcomeOf(await doubt)).toBe('unknown')
      await leaderOf(runtime, others(members, leader))
      expect(outcomeOf(await failure(leader.host.propose(bytes('after'), wait)))).toBe(
        'not-applied',
      )
    }))
})

describe('who may talk', () => {
  const secret = new Uint8Array(32).fill(7)

  it('members with the secret agree; one without it is turned away', () =>
    inVirtualTime(async (world, runtime) => {
      const members = await startMembers(world, ids, { secrets: [secret] })
      await members[0]?.host.propose(bytes('sealed'), wait)
      const stranger = await startMember(world, 'd', {
        ids: [...ids, 'd'],
        secrets: [new Uint8Array(32).fill(8)],
      })
      await sleep(runtime.timers, 2_000)
      expect(stranger.host.status().leader).toBeUndefined()
      const refused = members.reduce((sum, { seen }) => sum + (seen.get('malformed') ?? 0), 0)
      expect(refused).toBeGreaterThan(0)
    }))

  it('without a secret only loopback addresses are allowed', () =>
    inVirtualTime(async (_world, runtime) => {
      const [{ machine }] = [
        { machine: { apply: () => bytes(''), snapshot: () => [], restore() {} } },
      ]
      const options = { runtime, id: 'a', clusterId: 'x', folder: '/r', machine }
      const open = { ...options, listen: '0.0.0.0:1', bootstrap: firstMembers(['a']) }
      expect(await failure(raftHost(open))).toBeInstanceOf(ConfigurationError)
      const host = await raftHost({ ...open, listen: '127.0.0.1:0' })
      expect(text(await host.propose(bytes('alone'), wait))).toBe('')
      await host.close()
    }))

  it('another cluster and other versions are refused; neighbouring versions work together', () =>
    inVirtualTime(async (world, runtime) => {
      const old = { parts: { versions: { min: 1, max: 1 } } }
      const next = { parts: { versions: { min: 1, max: 2 } } }
      const members = [
        await startMember(world, 'a', { ids, ...old }),
        await startMember(world, 'b', { ids, ...next }),
        await startMember(world, 'c', { ids, ...next }),
      ]
      await members[0]?.host.propose(bytes('mixed'), wait)
      await until(runtime, () => members.every(({ machine }) => machine.list.length === 1))
      await startMember(world, 'd', { ids: ['a', 'd'], parts: { versions: { min: 2, max: 2 } } })
      await startMember(world, 'e', { ids: ['b', 'e'], clusterId: 'other' })
      await sleep(runtime.timers, 1_000)
      expect(members[0]?.seen.get('version')).toBeGreaterThan(0)
      expect(members[1]?.seen.get('cluster')).toBeGreaterThan(0)
    }))

  it('G-9: hostile bytes end the link and nothing else', () =>
    inVirtualTime(async (world, runtime) => {
      const members = await startMembers(world, ids)
      await leaderOf(runtime, members)
      for (const words of ['GET / HTTP/1.1\r\n\r\n', '\0\0\0\x05\x01HFRx', '\0\0\0\x01']) {
        const stream = await runtime.network.connect('a:7000', { timeoutMs: 1_000 })
        stream.write(bytes(words))
        await new Promise<void>((resolve) => {
          const over = (): void => resolve()
          stream.receive({ data() {}, ended: over, failed: over })
        })
      }
      expect(members[0]?.seen.get('malformed')).toBeGreaterThanOrEqual(2)
      await members[0]?.host.propose(bytes('unmoved'), wait)
    }))
})

it('G-11: limits are stated and kept', () =>
  inVirtualTime(async (world) => {
    const [alone] = await startMembers(world, ['a'], {
      bootstrap: firstMembers(ids),
      proposalsMax: 3,
      commandBytesMax: 10,
      readsMax: 2,
    })
    const { host } = alone as Member
    const short = { timeoutMs: 500 }
    const waiting = [1, 2, 3].map(() => failure(host.propose(bytes('x'), short)))
    expect(await failure(host.propose(bytes('x'), short))).toMatchObject({ code: 'limit-exceeded' })
    expect(await failure(host.propose(bytes('x'.repeat(11)), short))).toBeInstanceOf(
      InvalidArgumentError,
    )
    const reads = [1, 2].map(() => failure(host.readBarrier('quorum', short)))
    expect(await failure(host.readBarrier('quorum', short))).toMatchObject({
      code: 'limit-exceeded',
    })
    await Promise.all([...waiting, ...reads])
  }))
