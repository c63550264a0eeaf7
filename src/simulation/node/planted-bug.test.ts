/**
 * The simulator's own negative control: an election by votes, with the classic bug (a vote is answered
 * before it is synced) and without. The bug must be found and shrunk; the right one must stay clean.
 */
import { describe, expect, it } from 'vitest'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import { type FaultKind, type SimulationReport, simulate, type World } from '../../testing/index.ts'

const voters = ['v1', 'v2', 'v3']

/** Grants each term to the first who asks, and remembers that on disk. */
async function voter(own: Runtime, name: string, syncs: boolean): Promise<void> {
  const file = await own.disk.open('vote', 'create')
  await own.disk.syncDirectory('.')
  let [term, candidate] = [...(await file.readAt(0, 2)), 0, 0] as [number, number]
  // What is in the page cache may be what a failed sync left behind: it is not safe until synced again.
  if (syncs) {
    await file.writeAt(0, Uint8Array.of(term, candidate))
    await file.sync()
  }
  let writing = Promise.resolve()
  const socket = await own.network.bind(`${name}:1`, ({ source, bytes }) => {
    const [asked = 0, who = 0] = bytes
    writing = writing.then(async () => {
      if (asked > term) {
        term = asked
        candidate = who
        await file.writeAt(0, Uint8Array.of(term, candidate))
        if (syncs) await file.sync()
      }
      if (asked === term && who === candidate) socket.send(source, Uint8Array.of(asked, who))
    })
  })
  await new Promise(() => {})
}

/** Asks for votes, term after term, and reports each election it wins. */
async function candidate(own: Runtime, who: number, won: (term: number) => void): Promise<void> {
  const votes = new Map<number, Set<string>>()
  const socket = await own.network.bind(`c${who}:1`, ({ source, bytes }) => {
    const [term = 0, whom] = bytes
    if (whom !== who) return
    const got = votes.get(term) ?? new Set()
    votes.set(term, got.add(source))
    if (got.size === 2) won(term)
  })
  for (let term = 1; term <= 10; term++) {
    for (let attempt = 0; attempt < 10; attempt++) {
      // One voter after the other, each candidate from another end: so votes are split.
      for (const name of who === 1 ? voters : voters.toReversed()) {
        await sleep(own.timers, 50 + own.random.fraction('pause') * 150)
        socket.send(`${name}:1`, Uint8Array.of(term, who))
      }
    }
  }
}

function election(syncs: boolean): (world: World) => void {
  return (world) => {
    for (const name of voters) {
      // After a failed write or sync nobody knows what is on disk: start again from there.
      world.machine(name).process('voter', (own) => voter(own, name, syncs), { mayThrow: true })
    }
    const winners = new Map<number, number>()
    for (const who of [1, 2]) {
      world.client(`c${who}`, (own) =>
        candidate(own, who, (term) => {
          const other = winners.get(term) ?? who
          if (other !== who) world.fail('election safety', `two leaders in term ${term}`)
          winners.set(term, who)
        }),
      )
    }
  }
}

const trial = (syncs: boolean, seeds: number): Promise<SimulationReport> =>
  simulate({ seeds, faults: 'all', shrink: true }, election(syncs))

describe('a planted bug', () => {
  it('a vote that is not synced elects two leaders, and shrinks to power cuts', async () => {
    const report = await trial(false, 500)
    const [failure] = report.failures
    expect(failure?.name).toBe('election safety')
    const kinds = new Set(failure?.shrunkFaults?.map(({ kind }) => kind))
    expect(['machine-crash', 'torn-write'].some((kind) => kinds.has(kind as FaultKind))).toBe(true)
    expect(failure?.shrunkFaults?.length).toBeLessThanOrEqual(4)
  })

  it('a vote that is synced never does', async () => {
    const report = await trial(true, 150)
    expect(report.failures).toEqual([])
    expect(report.seedsThatCount).toBeGreaterThan(100)
    expect(report.struck['machine-crash']).toBeGreaterThan(30)
  })
})
