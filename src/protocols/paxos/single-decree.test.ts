/**
 * Single-decree Paxos in all orders of events of a small world, and the same worlds with a bug in them.
 * `HOLDFAST_EXHAUSTIVE=1` explores larger ones (minutes).
 */
import { env, stdout } from 'node:process'
import { describe, expect, it } from 'vitest'
import { explore } from '../../simulation/explore.ts'
import { acceptor, acceptorStep } from './acceptor.ts'
import { compareBallots, noBallot } from './ballot.ts'
import { learnerStep } from './learner.ts'
import { backoffMs, prepare, proposer, proposerStep } from './proposer.ts'
import { quorums } from './quorum.ts'
import { type PlantedBug, type SmallWorld, smallWorld } from './single-decree.sim.ts'
import type { Answer } from './single-decree.ts'

const isLarge = env.HOLDFAST_EXHAUSTIVE === '1'
const three: Omit<SmallWorld, 'ballots'> = {
  acceptors: ['a', 'b', 'c'],
  proposers: ['x', 'y'],
  quorums: quorums(3),
}

function tried(world: SmallWorld, statesMax = 5_000_000): ReturnType<typeof explore> {
  const report = explore({ ...smallWorld(world), statesMax })
  const { states, transitions, depth } = report
  const size = `${world.acceptors.length} acceptors, ballots ${world.ballots.join('+')}`
  const { prepare: first, accept: second } = world.quorums
  const found = report.violation === undefined ? '' : `: ${report.violation.message}`
  say(
    `${size}, quorums ${first}/${second}: ${states} states, ${transitions} steps, depth ${depth}${found}`,
  )
  return report
}

describe('single-decree Paxos, all of it', () => {
  const worlds: readonly SmallWorld[] = [
    { ...three, ballots: [1, 1] },
    { ...three, ballots: [2, 1] },
    { ...three, ballots: [1, 1], quorums: quorums(3, { prepare: 3 }) },
    { ...three, ballots: [1, 1], quorums: quorums(3, { prepare: 1 }) },
    {
      ...three,
      ballots: [1, 1],
      acceptors: ['a', 'b', 'c', 'd'],
      quorums: quorums(4, { accept: 2 }),
    },
    ...(isLarge ? [{ ...three, ballots: [2, 2] }] : []),
    ...(isLarge ? [{ ...three, ballots: [1, 1, 1], proposers: ['x', 'y', 'z'] }] : []),
  ]
  it.each(worlds)('PX-5: agreement and validity, ballots $ballots, quorums $quorums', (world) => {
    const report = tried(world)
    expect(report.violation).toBeUndefined()
    expect(report.complete).toBe(true)
  })
})

describe('negative controls: each bug is found, with its shortest story', () => {
  const bugs: Readonly<Record<string, { bug?: PlantedBug; world?: Partial<SmallWorld> }>> = {
    'PX-1: a promise is not persisted': {
      bug: { keep: (before, after) => ({ ...after, promised: before.promised }) },
    },
    'PX-1: an acceptance is not persisted': {
      bug: { keep: (before, after) => ({ ...after, accepted: before.accepted }) },
    },
    'PX-1: a ballot is used again after a restart': {
      world: { ballots: [1, 2] },
      bug: { roundKept: (before) => before },
    },
    'PX-2: own value, though one was accepted': {
      bug: { proposerStep: (state, message) => proposerStep(state, forgetful(message)) },
    },
    'PX-2: the value of a lower ballot': {
      world: { ballots: [2, 1] },
      bug: { proposerStep: lowestFirst },
    },
    'PX-2: acceptances of different ballots are added up': {
      world: { ballots: [2, 1] },
      bug: {
        learnerStep: (state, message) =>
          learnerStep(state, { ...message, ballot: { round: 1, node: valueIn(message) } }),
      },
    },
    'PX-4: quorums that miss each other': { world: { quorums: { prepare: 1, accept: 2 } } },
  }
  it.each(Object.entries(bugs))('%s', (_, { bug = {}, world = {} }) => {
    const { violation } = tried({ ...three, ballots: [1, 1], ...world, bug })
    expect(violation?.message).toMatch(/chosen/)
    say(`  ${violation?.path.join(' · ')}`)
  })
})

describe('its rules, one by one', () => {
  const ballot = { round: 3, node: 'x' }

  it('PX-1: ballots are ordered by round, then by name', () => {
    expect(compareBallots({ round: 2, node: 'a' }, { round: 1, node: 'b' })).toBeGreaterThan(0)
    expect(compareBallots({ round: 2, node: 'a' }, { round: 2, node: 'b' })).toBeLessThan(0)
    expect(compareBallots(noBallot, ballot)).toBeLessThan(0)
  })

  it('PX-1: the acceptor asks for its disk before each answer but a refusal', () => {
    const promised = acceptorStep(acceptor<string>('a'), { kind: 'prepare', ballot })
    expect(promised).toMatchObject({ persist: true, send: { kind: 'promise' } })
    const lower = { round: 2, node: 'z' }
    const late = acceptorStep(promised.acceptor, { kind: 'accept', ballot: lower, value: 'v' })
    expect(late).toMatchObject({ persist: false, send: { kind: 'refused', promised: ballot } })
    const accepted = acceptorStep(promised.acceptor, { kind: 'accept', ballot, value: 'v' })
    expect(accepted).toMatchObject({ persist: true, send: { kind: 'accepted' } })
    expect(accepted.acceptor.accepted).toEqual({ ballot, value: 'v' })
  })

  it('PX-1: after a restart and after a refusal, the next ballot is above all heard of', () => {
    const begun = prepare(proposer('x', quorums(3), 'v', 4))
    expect(begun).toMatchObject({ persist: true, send: { ballot: { round: 5, node: 'x' } } })
    const refused = proposerStep(begun.proposer, {
      ...{ kind: 'refused', ballot: { round: 5, node: 'x' }, from: 'a' },
      promised: { round: 9, node: 'y' },
    })
    expect(prepare(refused.proposer).proposer.round).toBe(10)
  })

  it('PX-3: whoever is refused waits longer each time, up to a limit', () => {
    expect(backoffMs(10, 0, 0)).toBe(10)
    expect(backoffMs(10, 3, 0.5)).toBe(120)
    expect(backoffMs(10, 99, 0)).toBe(320)
  })

  it('PX-4: quorum sizes that need not intersect are refused', () => {
    expect(quorums(5)).toEqual({ prepare: 3, accept: 3 })
    expect(quorums(5, { accept: 2 })).toEqual({ prepare: 4, accept: 2 })
    expect(quorums(1)).toEqual({ prepare: 1, accept: 1 })
    expect(() => quorums(4, { prepare: 2, accept: 2 })).toThrow('can miss each other')
    expect(() => quorums(3, { accept: 4 })).toThrow('from 1 to 3 members')
    expect(() => quorums(0)).toThrow()
  })
})

function valueIn(message: Answer<string>): string {
  return message.kind === 'accepted' ? message.value : ''
}

function forgetful(message: Answer<string>): Answer<string> {
  return message.kind === 'promise' ? { ...message, accepted: undefined } : message
}

/** Turns the order of what was accepted upside down. */
function lowestFirst(
  ...[state, message]: Parameters<typeof proposerStep<string>>
): ReturnType<typeof proposerStep<string>> {
  const step = proposerStep(state, message)
  const { send } = step
  if (state.phase.kind !== 'preparing' || send?.kind !== 'accept') return step
  if (message.kind !== 'promise') return step
  const all = [...state.phase.promises.map((one) => one.accepted), message.accepted]
  const [lowest] = all
    .filter((one) => one !== undefined)
    .toSorted((one, other) => compareBallots(one.ballot, other.ballot))
  if (lowest === undefined) return step
  const value = lowest.value
  const phase = { kind: 'accepting' as const, ballot: send.ballot, value }
  return { ...step, proposer: { ...step.proposer, phase }, send: { ...send, value } }
}

function say(line: string): void {
  stdout.write(`${line}\n`)
}
