/**
 * Scenarios as text: a command, a line of dashes, and all that followed from it. The text is the test: it is
 * carried out again and must come out the same, and a change of behaviour shows as a difference to be read.
 *
 * Commands name members by one letter. `settle` lets disks work and messages arrive until all is quiet; all
 * else does one thing. Times do not pass by themselves.
 */

import { inForce } from './configurations.ts'
import type { RaftInput, RaftOutputs } from './contract.ts'
import type { Entry, MemberId } from './entry.ts'
import { type Core, type Group, group, type Member, type Parcel } from './group.sim.ts'
import type { Message } from './message.ts'

interface Stage {
  world: Group | undefined
  readonly cuts: Set<string>
  readonly core: Core | undefined
  readonly lines: string[]
  serial: number
  /** What was last said of each member. */
  readonly told: Map<MemberId, string>
}

/** @returns the same text with what followed from each command now. */
export function retold(text: string, core?: Core): string {
  const stage: Stage = {
    world: undefined,
    cuts: new Set(),
    core,
    lines: [],
    serial: 0,
    told: new Map(),
  }
  const told: string[] = []
  for (const paragraph of text.trim().split(/\n{2,}/)) {
    const [head = ''] = paragraph.split('\n----')
    const commands = head.split('\n').filter((line) => line !== '')
    if (commands.every((line) => line.startsWith('#'))) {
      if (commands.length > 0) told.push(head)
      continue
    }
    stage.lines.length = 0
    for (const command of commands)
      if (!command.startsWith('#')) carryOut(stage, command.split(' '))
    told.push([head, '----', ...stage.lines].join('\n'))
  }
  return `${told.join('\n\n')}\n`
}

function carryOut(stage: Stage, [verb = '', ...words]: readonly string[]): void {
  const [first = '', second = '', ...rest] = words
  if (verb === 'group') {
    begin(stage, words)
    return
  }
  const { world } = stage
  if (world === undefined) throw new Error('first comes `group`')
  const give = (input: RaftInput): void => world.input(world.member(first), input)
  const id = `${verb}-${++stage.serial}`
  switch (verb) {
    case 'disk':
      setDisk(world.member(first), words.slice(1))
      return
    case 'timeout':
      timeOut(world, world.member(first))
      return
    case 'stand':
      world.nowMs += 100
      give({ kind: 'campaign' })
      return
    case 'lead': {
      // The usual beginning, without the words.
      world.nowMs += 100
      give({ kind: 'campaign' })
      settle(stage, world)
      stage.lines.length = 0
      return
    }
    case 'beat':
      world.nowMs += 20
      give({ kind: 'time' })
      return
    case 'wait':
      world.nowMs += Number(first)
      return
    case 'propose':
      world.propose(world.member(first), id)
      return
    case 'read':
      world.read(world.member(first), id, second === 'lease' ? 'lease' : 'quorum')
      return
    case 'learn':
      give({ kind: 'change', id, change: { kind: 'add-learner', member: second, address: second } })
      return
    case 'promote':
      give({ kind: 'change', id, change: { kind: 'promote', member: second } })
      return
    case 'remove':
      give({ kind: 'change', id, change: { kind: 'remove', member: second } })
      return
    case 'replace':
      give({
        kind: 'change',
        id,
        change: { kind: 'replace', voters: [second, ...rest], learners: [] },
      })
      return
    case 'transfer':
      give({ kind: 'transfer', id, target: second })
      return
    case 'compact':
      world.compact(world.member(first), 0)
      return
    case 'sync':
      catchUp(world, world.member(first))
      return
    case 'crash':
      world.crash(world.member(first), Number(second))
      return
    case 'wipe':
      setDisk(world.member(first), ['0'])
      return
    case 'start':
      world.start(world.member(first))
      return
    case 'cut':
      cut(stage, world, first)
      return
    case 'heal':
      stage.cuts.clear()
      return
    case 'deliver':
      deliverSome(stage, world, first, true)
      return
    case 'drop':
      deliverSome(stage, world, first, false)
      return
    case 'settle':
      settle(stage, world)
      return
    case 'show':
      for (const member of world.members.values()) stage.lines.push(shown(member))
      return
    default:
      throw new Error(`unknown command ${verb}`)
  }
}

function begin(stage: Stage, words: readonly string[]): void {
  const spare = words.indexOf('spare')
  const voters = spare < 0 ? words : words.slice(0, spare)
  const world = group({
    seed: 1,
    voters,
    spares: spare < 0 ? [] : words.slice(spare + 1),
    ...(stage.core === undefined ? {} : { core: stage.core }),
    raft: { electionMs: 100, heartbeatMs: 20, leaseDrift: 0.1, messageBytesMax: 24 },
  })
  world.hear = (member, outputs) => hear(stage, member, outputs)
  stage.world = world
}

/** `disk a 7 1 1 4`: term 7, and a log of three entries of these terms. The member starts from it. */
function setDisk(member: Member, [term = '0', ...terms]: readonly string[]): void {
  member.disk.term = Number(term)
  member.disk.vote = undefined
  member.disk.entries = terms.map((word, at): Entry => {
    const [own, index] = [Number(word), at + 1]
    return { kind: 'empty', term: own, index }
  })
  member.disk.commit = 0
  member.handedOut = 0
}

/** This member's patience ends. */
function timeOut(world: Group, member: Member): void {
  world.nowMs = Math.max(world.nowMs, member.state?.electionAtMs ?? 0)
  world.input(member, { kind: 'time' })
}

function cut(stage: Stage, world: Group, members: string): void {
  for (const inside of members) {
    for (const outside of world.members.keys()) {
      if (members.includes(outside)) continue
      stage.cuts.add(`${inside}${outside}`)
      stage.cuts.add(`${outside}${inside}`)
    }
  }
}

function linkOf(parcel: Parcel): string {
  if (parcel.kind === 'message') return `${parcel.message.from}${parcel.message.to}`
  return parcel.kind === 'picture' ? `${parcel.from}${parcel.to}` : ''
}

/** What is under way on the link (`ab`), or from (`a`) a member, now; what follows from it waits. */
function deliverSome(stage: Stage, world: Group, link: string, arrives: boolean): void {
  const mine = world.parcels.filter((parcel) => linkOf(parcel).startsWith(link))
  const others = world.parcels.filter((parcel) => !linkOf(parcel).startsWith(link))
  world.parcels.splice(0, world.parcels.length, ...others)
  for (const parcel of mine) {
    if (arrives && !stage.cuts.has(linkOf(parcel))) world.deliver(parcel)
  }
}

/** Its disk does all its work. */
function catchUp(world: Group, member: Member): void {
  while (member.work.length > 0) world.sync(member)
}

function settle(stage: Stage, world: Group): void {
  for (let round = 0; round < 100; round++) {
    for (const member of world.members.values()) catchUp(world, member)
    const batch = world.parcels.splice(0)
    if (batch.length === 0) return
    for (const parcel of batch) if (!stage.cuts.has(linkOf(parcel))) world.deliver(parcel)
  }
}

function hear(stage: Stage, { id, state }: Member, outputs: RaftOutputs): void {
  const { lines } = stage
  const { write } = outputs
  if (write?.sync === true) {
    const log =
      write.entries.length > 0 ? ` after ${write.keepUntil} ${entriesText(write.entries)}` : ''
    lines.push(`${id}: writes term ${write.term} vote ${write.vote ?? '-'}${log}`)
  }
  for (const message of outputs.send) lines.push(messageText(message))
  for (const { message } of outputs.sendAfter) lines.push(`${messageText(message)}, once written`)
  if (outputs.committed.length > 0) lines.push(`${id}: applies ${entriesText(outputs.committed)}`)
  for (const read of outputs.reads) lines.push(`${id}: ${read.id} may be served from ${read.index}`)
  for (const { id: what, index } of outputs.accepted) lines.push(`${id}: ${what} is at ${index}`)
  for (const { id: what, reason } of outputs.refused)
    lines.push(`${id}: ${what} refused: ${reason}`)
  for (const { id: what, ok } of outputs.ended)
    lines.push(`${id}: ${what} ${ok ? 'done' : 'failed'}`)
  for (const { to } of outputs.sendSnapshot) lines.push(`${id}: sends its snapshot to ${to}`)
  if (outputs.install !== undefined) lines.push(`${id}: installs ${outputs.install.index}`)
  const now = state === undefined ? '' : `${state.role} in term ${state.term}`
  if (stage.told.get(id) === now) return
  stage.told.set(id, now)
  lines.push(`${id}: is ${now}`)
}

function shown({ id, state }: Member): string {
  if (state === undefined) return `${id}: down`
  const { voters, outgoing, learners } = inForce(state)
  const joint = outgoing.length > 0 ? ` from ${outgoing.join('')}` : ''
  const learning = learners.length > 0 ? ` learners ${learners.join('')}` : ''
  const terms = state.log.entries.map(({ term }) => term).join(' ')
  const base = state.log.baseIndex > 0 ? `…${state.log.baseIndex} ` : ''
  return (
    `${id}: ${state.role} term ${state.term} commit ${state.commit}` +
    ` log ${base}${terms} voters ${voters.join('')}${joint}${learning}`
  )
}

function entriesText(entries: readonly Entry[]): string {
  return entries.map(({ index, kind, term }) => `${index}/${term}${marks[kind]}`).join(' ')
}

const marks = { empty: '', command: 'c', configuration: 'C' } as const

function messageText(message: Message): string {
  return `${message.from}>${message.to} term ${message.term} ${bodyText(message)}`
}

function bodyText(message: Message): string {
  switch (message.kind) {
    case 'vote': {
      const how = `${message.pre ? 'pre-' : ''}vote${message.transfer ? ' handed over' : ''}`
      return `${how}? last ${message.lastIndex}/${message.lastTerm}`
    }
    case 'vote-reply':
      return `${message.pre ? 'pre-' : ''}vote ${message.granted ? 'yes' : 'no'}`
    case 'append': {
      const entries = message.entries.length > 0 ? ` ${entriesText(message.entries)}` : ''
      return `append after ${message.prevIndex}/${message.prevTerm}${entries} commit ${message.commit}`
    }
    case 'append-reply':
      return message.accepted
        ? `has up to ${message.index}`
        : `does not fit at ${message.index}, try ${message.hintIndex}/${message.hintTerm}`
    case 'heartbeat':
    case 'heartbeat-reply':
      return `${message.kind} round ${message.round}`
    case 'timeout-now':
      return 'stand now'
    case 'read-reply':
      return `${message.id} from ${message.index}`
    case 'read-refused':
    case 'forward-refused':
      return `${message.id} refused: ${message.reason}`
    default:
      return `${message.kind} ${message.id}`
  }
}
