/**
 * Every order of events of a small group: three members, few terms, short logs. Messages, once sent, may
 * arrive at any time, any number of times or never; any member may crash at any moment, also in the middle of
 * what it does, and comes back with what its disk held. The pure machine itself is explored, not a model of it.
 *
 * Time is left out: whoever may stand can do so at once, asks nobody first, and nobody is sticky. That is
 * more than a real group allows, so what holds here holds there.
 */
import type { RaftInput } from './contract.ts'
import type { Entry, MemberId } from './entry.ts'
import { type Core, configurationOf, soundCore } from './group.sim.ts'
import { lastIndexOf, termAt } from './log.ts'
import type { Message } from './message.ts'
import { emptyOutbox } from './outbox.ts'
import type { RaftState } from './state.ts'

export interface Scope {
  readonly termsMax: number
  readonly entriesMax: number
  /** Crashes in one story, of all members together. */
  readonly crashesMax: number
  readonly core?: Core
}

interface SmallMember {
  readonly state: RaftState
  readonly disk: {
    readonly term: number
    readonly vote?: MemberId
    readonly entries: readonly Entry[]
  }
  /** Of state and disk, as text: made once, since most members stay as they are. */
  readonly text: string
  /** What it says of others, without order. */
  readonly others: readonly string[]
}

export interface SmallGroup {
  readonly members: readonly SmallMember[]
  /** Each once; sorted by text. */
  readonly messages: readonly { readonly text: string; readonly message: Message }[]
  readonly crashes: number
  /** Who ever led, by term. */
  readonly leaders: readonly (MemberId | undefined)[]
  /** What was ever committed, by index, and in which term. */
  readonly committed: readonly { readonly term: number; readonly inTerm: number }[]
}

const names: readonly MemberId[] = ['a', 'b', 'c']

export function smallGroup(core: Core = soundCore): SmallGroup {
  const members = names.map((id) =>
    placed(started(core, id, { term: 0, entries: [] }), { term: 0, entries: [] }),
  )
  return { members, messages: [], crashes: 0, leaders: [], committed: [] }
}

function started(core: Core, id: MemberId, disk: SmallMember['disk']): RaftState {
  const snapshot = { index: 0, term: 0, configuration: configurationOf(names) }
  const { term, vote, entries } = disk
  // A message carries one entry, so that logs can differ in every way.
  const options = { id, seed: 1, messageBytesMax: 24, inflightMessagesMax: 1 }
  return core.start(options, { term, vote, snapshot, entries, commit: 0 }, 0)
}

export interface SmallAction {
  readonly name: string
  next(): SmallGroup
}

export function* actionsOf(group: SmallGroup, scope: Scope): Generator<SmallAction> {
  const { core = soundCore, termsMax, entriesMax, crashesMax } = scope
  for (const [at, { state }] of group.members.entries()) {
    const { id } = state.settings
    const act = (name: string, input: RaftInput): SmallAction => ({
      name: `${id} ${name}`,
      next: () => after(group, core, at, input),
    })
    if (state.lead === undefined) {
      if (state.term < termsMax) yield act('stands', { kind: 'campaign' })
    } else {
      if (lastIndexOf(state.log) < entriesMax) yield act('proposes', proposal)
    }
    if (group.crashes < crashesMax) {
      yield { name: `${id} crashes`, next: () => crashed(group, core, at) }
    }
    for (const { text, message } of group.messages) {
      if (message.to !== id) continue
      yield act(`gets ${text}`, { kind: 'message', message })
      if (group.crashes >= crashesMax) continue
      const input = { kind: 'message', message } as const
      yield { name: `${id} gets ${text} and crashes`, next: () => crashing(group, core, at, input) }
    }
  }
}

const proposal: RaftInput = { kind: 'propose', id: 'p', commands: [new Uint8Array(0)] }

/** All that follows from an input, disk work included. */
function after(group: SmallGroup, core: Core, at: number, input: RaftInput): SmallGroup {
  const member = group.members[at]
  if (member === undefined) return group
  const state = copied(member.state)
  const sent: Message[] = []
  let { disk } = member
  core.step(state, input, 0)
  for (;;) {
    timeless(state)
    const outputs = core.take(state, 0)
    sent.push(...outputs.send)
    const { write } = outputs
    if (write === undefined) break
    disk = {
      term: write.term,
      ...(write.vote === undefined ? {} : { vote: write.vote }),
      entries: [...disk.entries.slice(0, write.keepUntil), ...write.entries],
    }
    core.step(state, { kind: 'written', ticket: write.ticket }, 0)
    sent.push(...outputs.sendAfter.map(({ message }) => message))
  }
  timeless(state)
  return changed(group, at, placed(state, disk), sent)
}

/** The crash comes after what may leave at once has left, and before the disk has anything. */
function crashing(group: SmallGroup, core: Core, at: number, input: RaftInput): SmallGroup {
  const member = group.members[at]
  if (member === undefined) return group
  const state = copied(member.state)
  core.step(state, input, 0)
  const { send } = core.take(state, 0)
  return crashed(changed(group, at, member, send), core, at)
}

function crashed(group: SmallGroup, core: Core, at: number): SmallGroup {
  const member = group.members[at]
  if (member === undefined) return group
  const state = started(core, member.state.settings.id, member.disk)
  timeless(state)
  const crashes = group.crashes + 1
  return { ...changed(group, at, placed(state, member.disk), []), crashes }
}

function timeless(state: RaftState): void {
  state.stickyUntilMs = -Infinity
  state.electionAtMs = 0
  state.chance = 1
}

function placed(state: RaftState, disk: SmallMember['disk']): SmallMember {
  const { commit, lead, leader, log, role, term, vote, votes } = state
  const terms = (entries: readonly Entry[]): string => entries.map((one) => one.term).join('')
  // Names stand alone, so that they can be swapped; what has no order is sorted when they are.
  const followers = [...(lead?.followers.values() ?? [])].map(
    ({ id, mode, match, next, waiting, commitSent, inflight }) =>
      `${id} ${mode}${match}.${next}${waiting ? 'w' : ''}${commitSent}.${inflight.length}`,
  )
  const heard = [...votes].filter(([, yes]) => yes).map(([id]) => id)
  const own = `${term} ${vote ?? '-'} ${role} ${leader ?? '-'} ${commit}.${log.durable} ${terms(log.entries)}`
  const text = `${own} ${disk.term} ${disk.vote ?? '-'} ${terms(disk.entries)}`
  const others = [...followers, ...heard]
  return { state, disk, text, others }
}

function changed(
  group: SmallGroup,
  at: number,
  member: SmallMember,
  sent: readonly Message[],
): SmallGroup {
  let { messages, leaders, committed } = group
  for (const message of sent) {
    const text = textOf(message)
    if (messages.some((known) => known.text === text)) continue
    messages = [...messages, { text, message }].sort((left, right) =>
      left.text < right.text ? -1 : 1,
    )
  }
  const { state } = member
  if (state.lead !== undefined && leaders[state.term] === undefined) {
    leaders = leaders.slice()
    ;(leaders as (MemberId | undefined)[])[state.term] = state.settings.id
  }
  for (let index = committed.length; index < state.commit; index++) {
    committed = [...committed, { term: termAt(state.log, index + 1) ?? -1, inTerm: state.term }]
  }
  const members = group.members.with(at, member)
  messages = messages.filter(({ message }) => canMatter(members, message))
  return { members, messages, crashes: group.crashes, leaders, committed }
}

/**
 * What its receiver would ignore, now and for ever, is forgotten, so that stories that differ only in that
 * count as one. Terms never fall, a vote is never taken back, and who has led or lost a term never stands in
 * it again. A refused vote only ends a candidacy early, and time is left out.
 */
function canMatter(members: readonly SmallMember[], message: Message): boolean {
  const state = members.find((one) => one.state.settings.id === message.to)?.state
  if (state === undefined || message.term < state.term) return false
  if (message.kind === 'vote-reply' && !message.granted) return false
  if (message.term > state.term) return true
  switch (message.kind) {
    case 'vote':
      return state.vote === undefined
    case 'vote-reply':
      return state.role === 'candidate' && !state.votes.has(message.from)
    case 'append-reply': {
      const progress = state.lead?.followers.get(message.from)
      if (progress === undefined) return false
      return message.index > progress.match || progress.mode === 'probing'
    }
    default:
      return true
  }
}

function textOf(message: Message): string {
  const { from, to, term } = message
  const head = `${message.kind} ${from}${to} ${term}`
  switch (message.kind) {
    case 'vote':
      return `${head} ${message.lastIndex}/${message.lastTerm}`
    case 'vote-reply':
      return `${head} ${message.granted}`
    case 'append': {
      const terms = message.entries.map((entry) => entry.term).join('')
      return `${head} ${message.prevIndex}/${message.prevTerm} ${terms} ${message.commit}`
    }
    case 'append-reply':
      return `${head} ${message.accepted} ${message.index} ${message.hintIndex}/${message.hintTerm}`
    default:
      return head
  }
}

/** A copy that can be stepped while the old one stays as it is. */
function copied(state: RaftState): RaftState {
  const { lead, log } = state
  return {
    ...state,
    log: { ...log, entries: [...log.entries], writes: log.writes.map((write) => ({ ...write })) },
    configurations: [...state.configurations],
    votes: new Map(state.votes),
    forwarded: new Map(state.forwarded),
    asked: new Map(state.asked),
    disk: { ...state.disk },
    outbox: emptyOutbox(),
    lead:
      lead === undefined
        ? undefined
        : {
            ...lead,
            followers: new Map(
              [...lead.followers].map(([id, one]) => [id, { ...one, inflight: [...one.inflight] }]),
            ),
            sentMs: [...lead.sentMs],
            reads: [...lead.reads],
            earlyReads: [...lead.earlyReads],
            seen: new Map(lead.seen),
          },
  }
}

/** The same texts come again and again, under each of the six namings. */
const namings = new WeakMap<(name: string) => string, Map<string, string>>()

function renamer(swapped: (name: string) => string): (text: string) => string {
  const known = namings.get(swapped) ?? new Map<string, string>()
  namings.set(swapped, known)
  return (text) => {
    const before = known.get(text)
    if (before !== undefined) return before
    const now = text.replace(/\b[abc]+\b/g, (ids) => [...ids].map(swapped).join(''))
    known.set(text, now)
    return now
  }
}

/** For `leastKey`: the members are alike, so only one of six ways to name them is looked at. */
export function keyOf(group: SmallGroup, swapped: (name: string) => string): string {
  const { members, messages, crashes, leaders, committed } = group
  const renamed = renamer(swapped)
  const parts = members.map(({ state, text, others }) => {
    const about = others.map(renamed).sort().join(' ')
    return `${swapped(state.settings.id)} ${renamed(text)} ${about}`
  })
  parts.sort()
  parts.push(`${crashes}`, leaders.map((id) => (id === undefined ? '-' : swapped(id))).join(''))
  for (const { term, inTerm } of committed) parts.push(`${term}:${inTerm}`)
  return [...parts, ...messages.map(({ text }) => renamed(text)).sort()].join('|')
}

/** The five properties; Leader Append-Only is of steps: see `stepHolds`. */
export function holds({ members, leaders, committed }: SmallGroup): true | string {
  for (const [at, { state }] of members.entries()) {
    const { id } = state.settings
    if (state.lead !== undefined) {
      if (leaders[state.term] !== id) return `Election Safety: term ${state.term}`
      for (const [before, { term, inTerm }] of committed.entries()) {
        if (inTerm < state.term && termAt(state.log, before + 1) !== term) {
          return `Leader Completeness: ${id} lacks entry ${before + 1}`
        }
      }
    }
    for (let index = 1; index <= state.commit; index++) {
      if (termAt(state.log, index) !== committed[index - 1]?.term) {
        return `State Machine Safety: ${id} at ${index}`
      }
    }
    for (const other of members.slice(at + 1)) {
      if (!match(state, other.state)) return `Log Matching: ${id} and ${other.state.settings.id}`
    }
  }
  return true
}

/** Where the last entries of one term meet, all before them must be the same. */
function match(left: RaftState, right: RaftState): boolean {
  let same = false
  for (let index = Math.min(lastIndexOf(left.log), lastIndexOf(right.log)); index > 0; index--) {
    const equal = termAt(left.log, index) === termAt(right.log, index)
    if (same && !equal) return false
    same = equal
  }
  return true
}

export function stepHolds(before: SmallGroup, after_: SmallGroup): true | string {
  for (const [at, { state }] of after_.members.entries()) {
    const old = before.members[at]?.state
    if (old === undefined || old === state || old.lead === undefined) continue
    if (state.lead === undefined || state.term !== old.term) continue
    for (let index = 1; index <= lastIndexOf(old.log); index++) {
      if (termAt(old.log, index) !== termAt(state.log, index)) {
        return `Leader Append-Only: ${state.settings.id} at ${index}`
      }
    }
  }
  return true
}
