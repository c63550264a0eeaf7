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
  /** How many each of them begins, at most. */
  readonly ballots: readonly number[]
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
  readonly columns: readonly Column[]
  readonly proposers: readonly Wisher[]
  readonly proposals: readonly Proposal<string>[]
  readonly learner: Learner<string>
  readonly broken?: string
}

/** All that is known of and from one acceptor. */
interface Column {
  readonly memory: Acceptor<string>
  readonly disk: Acceptor<string>
  /** Those that may still change something: of a ballot that its proposer is busy with. */
  readonly answers: readonly Answer<string>[]
  /** Every acceptance it ever sent. The learner has heard of all of them. */
  readonly votes: readonly Vote[]
  /** All of it in words, made once: columns are shared by many worlds. */
  readonly text: string
}

type Vote = Answer<string> & { readonly kind: 'accepted' }

interface Wisher {
  readonly memory: Proposer<string>
  /** The round on disk. */
  readonly disk: number
  readonly begun: number
}

export function smallWorld(options: SmallWorld): Exploration<World> {
  const { quorums, bug = {} } = options
  return {
    initial: {
      columns: options.acceptors.map((id) => {
        const memory = acceptor<string>(id)
        return columnOf({ memory, disk: memory, answers: [], votes: [] })
      }),
      proposers: options.proposers.map((id) => {
        return { memory: proposer(id, quorums, id, 0), disk: 0, begun: 0 }
      }),
      ...{ proposals: [], learner: learner(quorums) },
    },
    *actions(world) {
      for (const index of world.proposers.keys()) yield* proposerActions(options, world, index)
      for (const index of world.columns.keys()) yield* acceptorActions(bug, world, index)
    },
    invariant: (world) => judge(world, options),
    key: keyOf,
  }
}

function* proposerActions(
  { ballots, bug = {} }: SmallWorld,
  world: World,
  index: number,
): Iterable<Action<World>> {
  const wisher = world.proposers[index]
  if (wisher === undefined) return
  const { memory, disk, begun } = wisher
  const { id, quorums, wish, seenRound } = memory
  const begin = (from: Proposer<string>): World => {
    const { proposer: after, send } = prepare(from)
    const kept = bug.roundKept?.(disk, after.round) ?? after.round
    const changed = { memory: after, disk: kept, begun: begun + 1 }
    const next = { ...world, proposers: world.proposers.with(index, changed) }
    if (send === undefined) return next
    const isAgain = world.proposals.some((one) => sameBallot(one.ballot, send.ballot))
    // The planted bug is to be found by what it leads to.
    if (isAgain && bug.roundKept === undefined) return { ...next, broken: 'a ballot began twice' }
    return tidy(proposed(next, send))
  }
  if (begun < (ballots[index] ?? 0)) {
    yield { name: `${id} prepares`, next: () => begin(memory) }
    // A crash shows only in what comes next: it has forgotten what it was about, and whom it heard.
    if (seenRound !== disk || bug.roundKept !== undefined) {
      const fresh = proposer(id, quorums, wish, disk)
      yield { name: `${id} crashes, and prepares`, next: () => begin(fresh) }
    }
  }
  for (const { answers } of world.columns) {
    for (const answer of answers) {
      if (answer.ballot.node !== id) continue
      const next = (): World => {
        const { proposer: after, send } = (bug.proposerStep ?? proposerStep)(memory, answer)
        const proposers = world.proposers.with(index, { ...wisher, memory: after })
        const heard = { ...world, proposers }
        return tidy(send === undefined ? heard : proposed(heard, send))
      }
      yield { name: `${id} hears ${answer.from}: ${answer.kind} ${shown(answer.ballot)}`, next }
    }
  }
}

function* acceptorActions(bug: PlantedBug, world: World, index: number): Iterable<Action<World>> {
  const column = world.columns[index]
  if (column === undefined) return
  const { memory, disk } = column
  const changed = (one: Partial<Column>, more: Partial<World> = {}): World => {
    return {
      ...world,
      ...more,
      columns: world.columns.with(index, columnOf({ ...column, ...one })),
    }
  }
  // Without a bug, memory and disk are one: an acceptor that crashed is one that was slow.
  if (memory !== disk) yield { name: `${memory.id} crashes`, next: () => changed({ memory: disk }) }
  for (const proposal of world.proposals) {
    const next = (): World => {
      const {
        acceptor: after,
        persist,
        send,
      } = (bug.acceptorStep ?? acceptorStep)(memory, proposal)
      const isNew = acceptorText(after) !== acceptorText(memory)
      const kept = persist ? (bug.keep?.(disk, after) ?? after) : disk
      const written = isNew ? { memory: after, disk: kept } : {}
      if (send.kind === 'accepted') {
        if (isNew || !isKnown(column.votes, send)) {
          const heard = (bug.learnerStep ?? learnerStep)(world.learner, send)
          const votes = isKnown(column.votes, send) ? column.votes : [...column.votes, send]
          return changed({ ...written, votes }, { learner: heard })
        }
      } else if (!isKnown(column.answers, send) && isAwaited(world, send)) {
        return changed({ ...written, answers: [...column.answers, send] })
      }
      return isNew ? changed(written) : world
    }
    yield { name: `${memory.id} hears ${proposal.kind} ${shown(proposal.ballot)}`, next }
  }
}

function proposed(world: World, proposal: Proposal<string>): World {
  const text = proposalText(proposal)
  if (world.proposals.some((one) => proposalText(one) === text)) return world
  return { ...world, proposals: [...world.proposals, proposal] }
}

function isKnown(all: readonly Answer<string>[], answer: Answer<string>): boolean {
  const text = answerText(answer)
  return all.some((one) => answerText(one) === text)
}

/** Would its proposer do more than drop it? If not, it never will again: ballots come once. */
function isAwaited(world: World, { ballot, kind, from }: Answer<string>): boolean {
  return world.proposers.some(({ memory: { phase } }) => {
    if (phase.kind === 'idle' || !sameBallot(phase.ballot, ballot)) return false
    if (kind === 'refused') return true
    return phase.kind === 'preparing' && !phase.promises.some((one) => one.from === from)
  })
}

/** Forgets the answers that nobody waits for any more. */
function tidy(world: World): World {
  let isTidy = true
  const columns = world.columns.map((column) => {
    const answers = column.answers.filter((answer) => isAwaited(world, answer))
    if (answers.length === column.answers.length) return column
    isTidy = false
    return columnOf({ ...column, answers })
  })
  return isTidy ? world : { ...world, columns }
}

function judge(world: World, { quorums, proposers }: SmallWorld): true | string {
  if (world.broken !== undefined) return world.broken
  const counts = new Map<string, number>()
  const chosen = new Set<string>()
  for (const { votes } of world.columns) {
    for (const vote of votes) {
      const text = acceptanceText(vote)
      const count = (counts.get(text) ?? 0) + 1
      counts.set(text, count)
      if (count >= quorums.accept) chosen.add(vote.value)
    }
  }
  if (chosen.size > 1) return `chosen were ${[...chosen].sort().join(' and ')}`
  const [only] = chosen
  if (only !== undefined && !proposers.includes(only)) return `nobody wished for ${only}`
  const learned = world.learner.chosen?.value
  return learned === only ? true : `chosen is ${only}, the learner says ${learned}`
}

function shown({ round, node }: Ballot): string {
  return `${round}${node}`
}

function proposalText(one: Proposal<string>): string {
  return one.kind === 'prepare' ? shown(one.ballot) : acceptanceText(one)
}

function acceptanceText(one: Acceptance<string> | undefined): string {
  return one === undefined ? '' : `${shown(one.ballot)}=${one.value}`
}

/** Without the acceptor's name. */
function answerText(one: Answer<string>): string {
  if (one.kind === 'accepted') return acceptanceText(one)
  if (one.kind === 'refused') return `${shown(one.ballot)}<${one.promised.round}`
  return `${shown(one.ballot)}:${acceptanceText(one.accepted)}`
}

function acceptorText({ promised, accepted }: Acceptor<string>): string {
  return `${shown(promised)}${acceptanceText(accepted)}`
}

function columnOf(parts: Omit<Column, 'text'>): Column {
  const { memory, disk, answers, votes } = parts
  const kept = memory === disk ? '' : acceptorText(disk)
  const listed = [answers, votes].map((all) => all.map(answerText).sort().join())
  return { ...parts, text: `${acceptorText(memory)}/${kept}/${listed.join('/')}` }
}

/** What a proposer has of each acceptor is told with the acceptor. */
function wisherText({ memory, disk, begun }: Wisher): string {
  const { phase, round, seenRound } = memory
  const at = phase.kind === 'idle' ? '' : shown(phase.ballot)
  const value = phase.kind === 'accepting' ? phase.value : ''
  return `${phase.kind[0]}${at}${value},${round},${seenRound},${disk},${begun}`
}

function promisesText(id: NodeId, world: World): string {
  let text = ''
  for (const { memory } of world.proposers) {
    const { phase } = memory
    if (phase.kind !== 'preparing') continue
    const promise = phase.promises.find(({ from }) => from === id)
    if (promise !== undefined) text += `+${memory.id}${acceptanceText(promise.accepted)}`
  }
  return text
}

/**
 * Nothing tells acceptors apart but what they did, so a world is the same as one in which two of them have
 * changed places: the key lists them in the order of their texts.
 */
function keyOf(world: World): string {
  const columns = world.columns.map((one) => one.text + promisesText(one.memory.id, world))
  const wishers = world.proposers.map(wisherText)
  const proposals = world.proposals.map(proposalText).sort().join()
  return `${columns.sort().join('|')}|${wishers.join()}|${proposals}|${world.learner.chosen?.value}`
}
