/**
 * Multi-Paxos in a world small enough to try everything: three members, a few ballots and commands, a window
 * of two slots, and a network that holds every message ever sent, to be delivered whenever and however often
 * it likes, or never. A member may crash after any step and comes back with what is on its disk. Writes are
 * done at once: a crash before one is a message that never came, a crash after it an answer that got lost.
 *
 * Kinds of message can be left out, as if always lost, to keep it small: what is not said is safe.
 *
 * Judged in every state: whatever any member ever knew to be chosen in a slot is what all know, and it was
 * somebody's command or nothing at all.
 */
import type { Action, Exploration } from '../../simulation/explore.ts'
import type { NodeId } from './ballot.ts'
import type { DurableState, Value } from './contract.ts'
import { applyRecord, newMember } from './durable.ts'
import type { Message } from './message.ts'
import { type PaxosState, paxos, step, take } from './paxos.ts'
import type { PlantedBug } from './planted-bugs.sim.ts'
import { quorums } from './quorum.ts'

export interface SmallGroup {
  readonly members: readonly NodeId[]
  /** Which member stands how often, at most. */
  readonly campaigns: Readonly<Record<NodeId, number>>
  /** Commands of each member, at most. */
  readonly commands: Readonly<Record<NodeId, number>>
  /** Crashes of each member, at most. */
  readonly crashes: Readonly<Record<NodeId, number>>
  /** Kinds of message that may arrive; the others are always lost. */
  readonly carries: readonly Message['kind'][]
  /** Begin after these actions instead of at the beginning. */
  readonly script?: readonly string[]
  readonly bug?: PlantedBug
}

/** What Paxos is about. */
export const phases: readonly Message['kind'][] = ['prepare', 'promise', 'accept', 'accepted']
/** And what tells the others. */
export const phasesAndNews: readonly Message['kind'][] = [
  ...phases,
  'heartbeat',
  'learn',
  'learned',
]

export interface GroupWorld {
  readonly members: readonly Member[]
  /** In words, so that none is there twice. */
  readonly messages: ReadonlyMap<string, Message>
  /** By slot: the value that was first known to be chosen. */
  readonly chosen: readonly string[]
  readonly broken?: string
}

interface Member {
  readonly state: PaxosState
  readonly disk: DurableState
  readonly campaigns: number
  readonly commands: number
  readonly crashes: number
  readonly text: string
}

type Input = Parameters<typeof step>[1]

export function smallGroup(group: SmallGroup): Exploration<GroupWorld> {
  const { bug = {} } = group
  const run = bug.protocol ?? { step, take }
  const addresses = Object.fromEntries(group.members.map((id) => [id, id]))
  const configuration = {
    ...{ members: group.members, addresses, retired: [] },
    quorums: bug.quorums ?? quorums(group.members.length),
  }

  /** The member after an input, with all that follows from it at once. */
  function after(
    world: GroupWorld,
    index: number,
    input: Input,
    spent: Partial<Member>,
  ): GroupWorld {
    const before = world.members[index]
    if (before === undefined) return world
    const state = structuredClone(before.state)
    const disk = structuredClone(before.disk)
    const messages = new Map(world.messages)
    let { chosen, broken } = world
    run.step(state, input, 0)
    for (;;) {
      const out = run.take(state)
      for (const message of [...out.send, ...out.sendAfter.map((one) => one.message)]) {
        if (!group.carries.includes(message.kind)) continue
        messages.set(JSON.stringify(message), message)
      }
      for (const { slot, value } of out.chosen) {
        const text = shownValue(value)
        const known = chosen[slot - 1]
        if (known === undefined) chosen = [...chosen, text]
        else if (known !== text)
          broken = `slot ${slot} is ${known}, and ${text} at ${state.options.id}`
      }
      if (out.write === undefined) break
      for (const one of out.write.records) {
        if (bug.forgets?.(one, state.options.id) !== true) applyRecord(disk, one)
      }
      run.step(state, { kind: 'written', ticket: out.write.ticket }, 0)
    }
    const parts = { ...before, ...spent, state, disk }
    const member = { ...parts, text: textOf(parts, group) }
    if (member.text === before.text && messages.size === world.messages.size) return world
    return {
      ...{ members: world.members.with(index, member), messages, chosen },
      ...(broken === undefined ? {} : { broken }),
    }
  }

  function* actions(world: GroupWorld): Iterable<Action<GroupWorld>> {
    for (const [index, member] of world.members.entries()) {
      const { state, disk, campaigns, commands, crashes } = member
      const { id } = state.options
      const next =
        (input: Input, spent: Partial<Member> = {}) =>
        () =>
          after(world, index, input, spent)
      if (campaigns < (group.campaigns[id] ?? 0)) {
        yield {
          name: `${id} stands`,
          next: next({ kind: 'campaign' }, { campaigns: campaigns + 1 }),
        }
      }
      if (state.lead?.hasWon === true && commands < (group.commands[id] ?? 0)) {
        const data = new TextEncoder().encode(`${id}${commands + 1}`)
        const spent = { commands: commands + 1 }
        yield { name: `${id} proposes`, next: next({ kind: 'propose', id: '', data }, spent) }
      }
      if (crashes < (group.crashes[id] ?? 0)) {
        yield {
          name: `${id} crashes`,
          next() {
            const fresh = paxos({ id, seed: 1 }, structuredClone(disk), 0)
            take(fresh)
            const parts = { ...member, state: fresh, crashes: crashes + 1 }
            const restarted = { ...parts, text: textOf(parts, group) }
            return { ...world, members: world.members.with(index, restarted) }
          },
        }
      }
      for (const message of world.messages.values()) {
        if (message.to !== id) continue
        const name = `${id} hears ${message.from}: ${shownMessage(message)}`
        yield { name, next: next({ kind: 'message', message }) }
      }
    }
  }

  let initial: GroupWorld = {
    members: group.members.map((id) => {
      const disk = newMember(id, { configuration, alpha: 2 })
      disk.admitted = true
      const state = paxos({ id, seed: 1 }, structuredClone(disk), 0)
      const parts = { state, disk, ...{ campaigns: 0, commands: 0, crashes: 0 } }
      return { ...parts, text: textOf(parts, group) }
    }),
    messages: new Map(),
    chosen: Array.from<string>({ length: 0 }),
  }
  for (const name of group.script ?? []) {
    const action = [...actions(initial)].find((one) => one.name === name)
    if (action === undefined) throw new Error(`"${name}" cannot happen now`)
    initial = action.next()
  }
  return {
    initial,
    actions,
    invariant: ({ broken }) => broken ?? true,
    key: ({ members, messages }) =>
      [...members.map(({ text }) => text), ...[...messages.keys()].sort()].join('|'),
  }
}

/** What the future of a member depends on. */
function textOf(member: Omit<Member, 'text'>, { crashes: crashesMax }: SmallGroup): string {
  const { state, disk, campaigns, commands, crashes } = member
  const { durable, lead, seenRound, learnAtMs } = state
  const mayCrash = crashes < (crashesMax[state.options.id] ?? 0)
  const onDisk = mayCrash ? shownDurable(disk) : ''
  const leading =
    lead === undefined
      ? ''
      : JSON.stringify({
          ...lead,
          promisedTo: [...lead.promisedTo].sort(),
          found: [...lead.found].sort(),
          votes: [...lead.votes].map(([slot, voters]) => [slot, voters.toSorted()]),
        })
  return [
    ...[shownDurable(durable), onDisk, leading, seenRound, learnAtMs],
    ...[campaigns, commands, crashes],
  ].join(';')
}

function shownDurable({ round, promised, entries, commit }: DurableState): string {
  const shown = [...entries]
    .sort(([one], [other]) => one - other)
    .map(([slot, { ballot, value }]) => `${slot}${ballot.round}${ballot.node}${shownValue(value)}`)
  return `${round},${promised.round}${promised.node},${shown.join()},${commit}`
}

function shownValue(value: Value): string {
  return value.kind === 'command' ? new TextDecoder().decode(value.data) : value.kind
}

function shownMessage(message: Message): string {
  const ballot = 'ballot' in message ? ` ${message.ballot.round}${message.ballot.node}` : ''
  const slots = 'entries' in message ? message.entries.map(({ slot }) => slot).join() : ''
  return `${message.kind}${ballot} ${slots}`.trim()
}
