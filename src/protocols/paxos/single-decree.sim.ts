/**
 * A world small enough to try everything: some acceptors, some proposers who each begin a few ballots, and
 * a network that holds every message ever sent, to be delivered whenever and however often it likes, or
 * never. That is loss, doubling, delay and reordering in one. Anyone may crash at any moment and comes back
 * with what was on disk; a crash between writing and sending is a message that is never delivered.
 *
 * Judged in every state: at most one value was ever accepted by a quorum in one ballot (agreement), it was
 * somebody's wish (validity), the learner has found exactly it, and no ballot was begun twice.
 */
import type { Action, Exploration } from '../../simulation/explore.ts'
import { type Acceptor, acceptor, acceptorStep } from './acceptor.ts'
import { type Ballot, type NodeId, sameBallot } from './ballot.ts'
import { type Learner, learner, learnerStep } from './learner.ts'
import { type Proposer, prepare, proposer, proposerStep } from './proposer.ts'
import type { Quorums } from './quorum.ts'
import type { Acceptance, Answer, Proposal } from './single-decree.ts'

export interface SmallWorld {
  readonly acceptors: readonly NodeId[]
  /** Each wishes for its own name. */
  readonly proposers: readonly NodeId[]
  readonly ballotsEach: number
  readonly quorums: Quorums
  /** Where a test plants its bug. */
  readonly bug?: PlantedBug
}

export interface PlantedBug {
  readonly acceptorStep?: typeof acceptorStep<string>
  readonly proposerStep?: typeof proposerStep<string>
  readonly learnerStep?: typeof learnerStep<string>
  /** What really gets to the acceptor's disk. */
  readonly keep?: (before: Acceptor<string>, after: Acceptor<string>) => Acceptor<string>
  readonly roundKept?: (before: number, after: number) => number
}

export interface World {
  readonly acceptors: readonly Durable<Acceptor<string>>[]
  readonly proposers: readonly (Durable<Proposer<string>, number> & { readonly begun: number })[]
  readonly proposals: readonly Proposal<string>[]
  /** Those that may still change something: of a ballot that its proposer is busy with. */
  readonly answers: readonly Answer<string>[]
  /** Every acceptance there ever was. The learner has heard of all of them. */
  readonly votes: readonly (Answer<string> & { readonly kind: 'accepted' })[]
  readonly learner: Learner<string>
  readonly broken?: string
}

interface Durable<State, Disk = State> {
  readonly memory: State
  readonly disk: Disk
}

export function smallWorld(options: SmallWorld): Exploration<World> {
  const { bug = {}, quorums } = options
  const ask = bug.acceptorStep ?? acceptorStep
  const hear = bug.proposerStep ?? proposerStep
  const learn = bug.learnerStep ?? learnerStep

  function* actions(world: World): Iterable<Action<World>> {
    for (const [index, { memory, disk, begun }] of world.proposers.entries()) {
      const changed = (one: Partial<World['proposers'][number]>): World => ({
        ...world,
        proposers: world.proposers.with(index, { memory, disk, begun, ...one }),
      })
      const fresh = proposer(memory.id, quorums, memory.wish, disk)
      if (begun < options.ballotsEach) {
        yield {
          name: `${memory.id} prepares`,
          next: () => begin(changed, world, memory, disk, begun),
        }
        if (memory.phase.kind !== 'idle' || memory.round !== disk) {
          yield { name: `${memory.id} crashes`, next: () => tidy(changed({ memory: fresh })) }
        }
      }
      for (const answer of world.answers) {
        if (answer.ballot.node !== memory.id) continue
        const next = (): World => {
          const { proposer: after, send } = hear(memory, answer)
          const heard = changed({ memory: after })
          return tidy(send === undefined ? heard : proposed(heard, send))
        }
        yield { name: `${memory.id} hears ${answer.from}: ${answer.kind} ${shown(answer)}`, next }
      }
    }
    for (const [index, { memory, disk }] of world.acceptors.entries()) {
      const changed = (one: Durable<Acceptor<string>>): World => ({
        ...world,
        acceptors: world.acceptors.with(index, one),
      })
      if (memory !== disk) {
        yield { name: `${memory.id} crashes`, next: () => changed({ memory: disk, disk }) }
      }
      for (const proposal of world.proposals) {
        const next = (): World => {
          const { acceptor: after, persist, send } = ask(memory, proposal)
          const kept = persist ? (bug.keep?.(disk, after) ?? after) : disk
          const isNew = acceptorText(after) !== acceptorText(memory)
          const written = isNew ? changed({ memory: after, disk: kept }) : world
          return answered(written, send, learn)
        }
        yield { name: `${memory.id} hears ${proposal.kind} ${shown(proposal)}`, next }
      }
    }
  }

  function begin(
    changed: (one: Partial<World['proposers'][number]>) => World,
    world: World,
    memory: Proposer<string>,
    disk: number,
    begun: number,
  ): World {
    const { proposer: after, send } = prepare(memory)
    const kept = bug.roundKept?.(disk, after.round) ?? after.round
    const next = changed({ memory: after, disk: kept, begun: begun + 1 })
    const again = world.proposals.some((one) => send !== undefined && shown(one) === shown(send))
    const asked = send === undefined ? next : proposed(next, send)
    return tidy(
      again && bug.roundKept === undefined ? { ...asked, broken: 'a ballot began twice' } : asked,
    )
  }

  return {
    initial: {
      acceptors: options.acceptors.map((id) => fresh(acceptor<string>(id))),
      proposers: options.proposers.map((id) => {
        return { memory: proposer(id, quorums, id, 0), disk: 0, begun: 0 }
      }),
      ...{ proposals: [], answers: [], votes: [], learner: learner(quorums) },
    },
    actions,
    invariant: (world) => judge(world, options),
    key: render,
  }
}

function fresh<State>(state: State): Durable<State> {
  return { memory: state, disk: state }
}

function shown({ ballot }: { readonly ballot: Ballot }): string {
  return `${ballot.round}${ballot.node}`
}

function proposed(world: World, proposal: Proposal<string>): World {
  const text = proposalText(proposal)
  if (world.proposals.some((one) => proposalText(one) === text)) return world
  return { ...world, proposals: [...world.proposals, proposal] }
}

function answered(world: World, answer: Answer<string>, learn: typeof learnerStep<string>): World {
  const text = answerText(answer)
  const isKnown = (all: readonly Answer<string>[]): boolean =>
    all.some((one) => one.from === answer.from && answerText(one) === text)
  if (answer.kind === 'accepted') {
    if (isKnown(world.votes)) return world
    return { ...world, votes: [...world.votes, answer], learner: learn(world.learner, answer) }
  }
  if (isKnown(world.answers) || !isAwaited(world, answer)) return world
  return { ...world, answers: [...world.answers, answer] }
}

/** Would its proposer do more than drop it? If not, it never will again: ballots come once. */
function isAwaited(world: World, { ballot, kind, from }: Answer<string>): boolean {
  return world.proposers.some(({ memory: { phase } }) => {
    if (phase.kind === 'idle' || !sameBallot(phase.ballot, ballot)) return false
    if (kind === 'refused') return true
    return phase.kind === 'preparing' && !phase.promises.some((one) => one.from === from)
  })
}

function tidy(world: World): World {
  const answers = world.answers.filter((answer) => isAwaited(world, answer))
  return answers.length === world.answers.length ? world : { ...world, answers }
}

function judge(world: World, { quorums, proposers }: SmallWorld): true | string {
  if (world.broken !== undefined) return world.broken
  const counts = new Map<string, number>()
  const chosen = new Set<string>()
  for (const vote of world.votes) {
    const text = `${shown(vote)} ${vote.value}`
    const count = (counts.get(text) ?? 0) + 1
    counts.set(text, count)
    if (count >= quorums.accept) chosen.add(vote.value)
  }
  if (chosen.size > 1) return `chosen were ${[...chosen].join(' and ')}`
  const [only] = chosen
  if (only !== undefined && !proposers.includes(only)) return `nobody wished for ${only}`
  const learned = world.learner.chosen?.value
  return learned === only ? true : `chosen is ${only}, the learner says ${learned}`
}

function proposalText(one: Proposal<string>): string {
  return one.kind === 'prepare' ? shown(one) : `${shown(one)}=${one.value}`
}

function acceptanceText(one: Acceptance<string> | undefined): string {
  return one === undefined ? '' : `${shown(one)}=${one.value}`
}

/** Without the acceptor's name. */
function answerText(one: Answer<string>): string {
  if (one.kind === 'accepted') return acceptanceText(one)
  if (one.kind === 'refused') return `${shown(one)}<${one.promised.round}`
  return `${shown(one)}:${acceptanceText(one.accepted)}`
}

function acceptorText({ promised, accepted }: Acceptor<string>): string {
  return `${shown({ ballot: promised })}${acceptanceText(accepted)}`
}

function proposerText({ memory, disk, begun }: World['proposers'][number]): string {
  const { phase, round, seenRound } = memory
  const at = phase.kind === 'idle' ? '' : shown(phase)
  const value = phase.kind === 'accepting' ? phase.value : ''
  return `${phase.kind[0]}${at}${value},${round},${seenRound},${disk},${begun}`
}

/**
 * All that is known of and from one acceptor. Nothing tells acceptors apart but what they did, so a world
 * is the same as one in which two of them have changed places: the key lists them in the order of texts.
 */
function columnText({ memory, disk }: Durable<Acceptor<string>>, world: World): string {
  const { id } = memory
  const mine = (all: readonly Answer<string>[]): string =>
    all
      .filter(({ from }) => from === id)
      .map(answerText)
      .sort()
      .join()
  const promises = world.proposers.map(({ memory: { phase } }) => {
    if (phase.kind !== 'preparing') return ''
    const promise = phase.promises.find(({ from }) => from === id)
    return promise === undefined ? '' : `+${acceptanceText(promise.accepted)}`
  })
  const kept = memory === disk ? '' : acceptorText(disk)
  return [acceptorText(memory), kept, promises, mine(world.answers), mine(world.votes)].join('/')
}

function render(world: World): string {
  return [
    ...world.acceptors.map((one) => columnText(one, world)).sort(),
    ...world.proposers.map(proposerText),
    world.proposals.map(proposalText).sort().join(),
    world.learner.chosen?.value ?? '',
  ].join('|')
}
