import { expect, it } from 'vitest'
import { InvalidArgumentError } from '../../errors.ts'
import type { RaftInput, RaftOptions, RaftOutputs } from './contract.ts'
import type { Configuration, Entry } from './entry.ts'
import { configurationOf } from './group.sim.ts'
import type { Message, MessageBody } from './message.ts'
import {
  deadlineMs,
  entries,
  type RaftState,
  raft,
  snapshotMark,
  status,
  step,
  take,
} from './raft.ts'

const command = new Uint8Array([1, 2, 3])

function member(
  id: string,
  configuration: Configuration,
  options: Partial<RaftOptions> = {},
): RaftState {
  const restored = {
    term: 0,
    vote: undefined,
    snapshot: { index: 0, term: 0, configuration },
    entries: [],
    commit: 0,
  }
  return raft({ id, seed: 1, ...options }, restored, 0)
}

/** Steps, and lets the disk do at once what it is asked. */
function told(state: RaftState, input: RaftInput, nowMs = 0): RaftOutputs[] {
  const all: RaftOutputs[] = []
  step(state, input, nowMs)
  for (;;) {
    const outputs = take(state)
    all.push(outputs)
    if (outputs.write === undefined) return all
    step(state, { kind: 'written', ticket: outputs.write.ticket }, nowMs)
  }
}

function sentBy(all: readonly RaftOutputs[]): Message[] {
  return all.flatMap(({ send, sendAfter }) => [...send, ...sendAfter.map(({ message }) => message)])
}

function from(sender: string, to: string, term: number, body: MessageBody): RaftInput {
  return { kind: 'message', message: { from: sender, to, term, ...body } }
}

function alone(options: Partial<RaftOptions> = {}): RaftState {
  const state = member('a', configurationOf(['a']), options)
  told(state, { kind: 'campaign' })
  return state
}

function leading(options: Partial<RaftOptions> = {}): RaftState {
  const state = member('a', configurationOf(['a', 'b', 'c']), options)
  told(state, { kind: 'campaign' })
  told(state, from('b', 'a', 1, { kind: 'vote-reply', pre: false, granted: true }))
  expect(status(state).role).toBe('leader')
  return state
}

const has = (index: number, round: number): MessageBody => {
  return { kind: 'append-reply', accepted: true, index, hintIndex: 0, hintTerm: 0, round }
}

const append = (prevIndex: number, prevTerm: number, list: readonly Entry[]): MessageBody => {
  return { kind: 'append', prevIndex, prevTerm, entries: list, commit: 0, round: 1 }
}

it('options out of range are refused by name', () => {
  const configuration = configurationOf(['a'])
  for (const wrong of [
    { electionMs: 9 },
    { electionMs: 1_000, heartbeatMs: 500 },
    { messageBytesMax: 0 },
    { inflightMessagesMax: Number.NaN },
    { leaseDrift: 0.6 },
    { seed: 0.5 },
    { id: '' },
  ]) {
    expect(() => member('a', configuration, wrong), JSON.stringify(wrong)).toThrow(
      InvalidArgumentError,
    )
  }
})

it('a member alone leads, commits after its own write, and answers reads', () => {
  const state = alone()
  step(state, { kind: 'propose', id: 'x', commands: [command, command] }, 0)
  const { accepted, committed, write } = take(state)
  expect(accepted).toEqual([{ id: 'x', term: 1, index: 2 }])
  // RF-2: not before its disk has it.
  expect(committed).toEqual([])
  step(state, { kind: 'written', ticket: write?.ticket ?? -1 }, 0)
  expect(take(state).committed.map(({ index }) => index)).toEqual([2, 3])
  const reads = told(state, { kind: 'read', id: 'r', by: 'quorum' }).flatMap((one) => one.reads)
  expect(reads).toEqual([{ id: 'r', index: 3 }])
  expect(entries(state, 2, 3)).toHaveLength(2)
})

it('RF-1: a vote and an acknowledgement wait for their write, and nothing else does', () => {
  const state = member('b', configurationOf(['a', 'b', 'c']))
  const vote = { kind: 'vote', pre: false, lastIndex: 0, lastTerm: 0, transfer: false } as const
  step(state, from('a', 'b', 1, vote), 0)
  const voting = take(state)
  expect(voting.send).toEqual([])
  expect(voting.write).toMatchObject({ term: 1, vote: 'a', sync: true })
  expect(voting.sendAfter).toMatchObject([
    { ticket: voting.write?.ticket, message: { kind: 'vote-reply', granted: true } },
  ])
  step(state, from('a', 'b', 1, append(0, 0, [{ kind: 'empty', term: 1, index: 1 }])), 0)
  const { write, sendAfter } = take(state)
  expect(sendAfter).toMatchObject([{ ticket: write?.ticket, message: { index: 1 } }])
  step(state, { kind: 'written', ticket: write?.ticket ?? -1 }, 0)
  step(state, from('a', 'b', 1, { kind: 'heartbeat', commit: 1, round: 2 }), 0)
  expect(take(state).send).toMatchObject([{ kind: 'heartbeat-reply', round: 2 }])
})

it('RF-10: a confirmation of a write says nothing about entries that were cut since', () => {
  const state = member('c', configurationOf(['a', 'b', 'c']))
  const first = { kind: 'empty', term: 1, index: 1 } as const
  step(state, from('a', 'c', 1, append(0, 0, [first])), 0)
  const old = take(state).write?.ticket ?? -1
  step(state, from('b', 'c', 2, append(0, 0, [{ kind: 'empty', term: 2, index: 1 }])), 0)
  take(state)
  // The same entry comes again, in a later term.
  step(state, from('a', 'c', 3, append(0, 0, [first])), 0)
  const again = take(state)
  step(state, { kind: 'written', ticket: old }, 0)
  expect(status(state)).toMatchObject({ lastIndex: 1, lastTerm: 1, durableIndex: 0 })
  step(state, { kind: 'written', ticket: again.write?.ticket ?? -1 }, 0)
  expect(status(state).durableIndex).toBe(1)
})

it('RF-3: an older append that comes late takes nothing away', () => {
  const state = member('b', configurationOf(['a', 'b', 'c']))
  const log = [1, 2, 3].map((index): Entry => ({ kind: 'empty', term: 1, index }))
  told(state, from('a', 'b', 1, append(0, 0, log)))
  const late = sentBy(told(state, from('a', 'b', 1, append(0, 0, log.slice(0, 1)))))
  expect(late).toMatchObject([{ kind: 'append-reply', accepted: true, index: 1 }])
  expect(status(state).lastIndex).toBe(3)
})

it('RF-3: the commit index goes no further than what was compared', () => {
  const state = member('b', configurationOf(['a', 'b', 'c']))
  const [one, two] = [1, 2].map((index): Entry => ({ kind: 'empty', term: 1, index }))
  if (one === undefined || two === undefined) throw new Error('no entries')
  told(state, from('a', 'b', 1, append(0, 0, [one, two])))
  told(state, from('c', 'b', 2, { ...append(0, 0, [one]), commit: 2 } as MessageBody))
  expect(status(state).commit).toBe(1)
})

it('RF-8: all that is proposed in one turn travels in one message per follower', () => {
  const state = leading()
  told(state, from('b', 'a', 1, has(1, 1)))
  for (let at = 0; at < 256; at++) {
    step(state, { kind: 'propose', id: `${at}`, commands: [command] }, 0)
  }
  const { send, write } = take(state)
  expect(write?.entries).toHaveLength(256)
  const toB = send.filter(({ to, kind }) => to === 'b' && kind === 'append')
  expect(toB).toHaveLength(1)
  expect(toB[0]).toMatchObject({ prevIndex: 1, entries: { length: 256 } })
})

it('RF-8: messages on their way to one follower have a limit, by count and by bytes', () => {
  const byCount = leading({ messageBytesMax: 30, inflightMessagesMax: 3 })
  told(byCount, from('b', 'a', 1, has(1, 1)))
  for (const state of [byCount, leading({ messageBytesMax: 30, inflightBytesMax: 60 })]) {
    told(state, from('b', 'a', 1, has(1, 1)))
    const many = Array.from({ length: 10 }, () => command)
    const sent = sentBy(told(state, { kind: 'propose', id: 'x', commands: many }))
    expect(sent.filter(({ to }) => to === 'b')).toHaveLength(3)
    const more = sentBy(told(state, from('b', 'a', 1, has(2, 1))))
    expect(more.filter(({ to, kind }) => to === 'b' && kind === 'append')).toHaveLength(1)
  }
})

it('RF-8: what a leader may hold uncommitted has a limit, and one large proposal passes alone', () => {
  const state = leading({ uncommittedBytesMax: 100 })
  const answers = (id: string, size: number): string => {
    step(state, { kind: 'propose', id, commands: [new Uint8Array(size)] }, 0)
    return take(state).refused[0]?.reason ?? 'accepted'
  }
  expect(answers('small', 10)).toBe('accepted')
  expect(answers('large', 200)).toBe('full')
  const single = alone({ uncommittedBytesMax: 100 })
  const large = { kind: 'propose', id: 'x', commands: [new Uint8Array(500)] } as const
  expect(told(single, large).flatMap((one) => one.accepted)).toHaveLength(1)
})

it('RF-5: reads that wait have a limit', () => {
  const state = leading({ readsMax: 2 })
  for (const id of ['1', '2', '3']) step(state, { kind: 'read', id, by: 'quorum' }, 0)
  expect(take(state).refused).toEqual([{ id: '3', reason: 'full' }])
})

it('RF-5: lease reads are refused where no bound on the clocks was given', () => {
  const state = alone()
  const refused = told(state, { kind: 'read', id: 'r', by: 'lease' }).flatMap((one) => one.refused)
  expect(refused).toEqual([{ id: 'r', reason: 'lease-unsure' }])
})

it('RF-5: a restarted member votes for nobody for an election timeout, for a leader may count on it', () => {
  const snapshot = { index: 0, term: 0, configuration: configurationOf(['a', 'b', 'c']) }
  const restored = { term: 3, vote: undefined, snapshot, entries: [], commit: 0 }
  const state = raft({ id: 'b', seed: 1 }, restored, 5_000)
  const vote = { kind: 'vote', pre: false, lastIndex: 9, lastTerm: 3, transfer: false } as const
  expect(sentBy(told(state, from('a', 'b', 4, vote), 5_999))).toEqual([])
  expect(sentBy(told(state, from('a', 'b', 4, vote), 6_000))).toMatchObject([{ granted: true }])
})

it('RF-6: a retired member is not answered', () => {
  const configuration = { ...configurationOf(['a', 'b']), retired: ['x'] }
  const state = member('a', configuration)
  const vote = { kind: 'vote', pre: true, lastIndex: 9, lastTerm: 9, transfer: false } as const
  expect(sentBy(told(state, from('x', 'a', 10, vote), 9_000))).toEqual([])
})

it('RF-6: changes are refused by name', () => {
  const state = leading()
  const change = (wanted: (RaftInput & { kind: 'change' })['change']): string | undefined =>
    told(state, { kind: 'change', id: 'c', change: wanted }).flatMap((one) => one.refused)[0]
      ?.reason
  expect(change({ kind: 'remove', member: 'c' })).toBe('change-under-way')
  told(state, from('b', 'a', 1, has(1, 1)))
  expect(status(state).commit).toBe(1)
  expect(change({ kind: 'promote', member: 'x' })).toBe('invalid-change')
  expect(change({ kind: 'add-learner', member: 'b', address: 'b:2' })).toBe('invalid-change')
  expect(change({ kind: 'replace', voters: [], learners: ['a'] })).toBe('invalid-change')
  expect(change({ kind: 'replace', voters: ['a', 'a'], learners: [] })).toBe('invalid-change')
  expect(change({ kind: 'add-learner', member: 'x', address: 'x:1' })).toBeUndefined()
  expect(change({ kind: 'remove', member: 'c' })).toBe('change-under-way')
})

it('RF-7: a snapshot keeps what slow followers need, and an older one changes nothing', () => {
  const state = alone()
  told(state, { kind: 'propose', id: 'x', commands: [command, command, command] })
  const mark = snapshotMark(state, 4)
  const older = snapshotMark(state, 2)
  if (mark === undefined || older === undefined) throw new Error('no mark')
  expect(mark).toMatchObject({ index: 4, term: 1, configuration: { voters: ['a'] } })
  told(state, { kind: 'compact', mark, keepFrom: 3 })
  expect(status(state)).toMatchObject({ firstIndex: 3, lastIndex: 4 })
  told(state, { kind: 'compact', mark: older, keepFrom: 3 })
  expect(snapshotMark(state, 4)).toEqual(mark)
  expect(snapshotMark(state, 5)).toBeUndefined()
})

it('a forwarded proposal is lost when nothing is heard of it, and appended once if doubled', () => {
  const follower = member('b', configurationOf(['a', 'b', 'c']))
  const propose = { kind: 'propose', id: 'x', commands: [command] } as const
  expect(told(follower, propose)[0]?.refused).toEqual([{ id: 'x', reason: 'no-leader' }])
  const leader = leading()
  told(follower, from('a', 'b', 1, append(0, 0, [])))
  const [forward] = sentBy(told(follower, propose))
  expect(forward).toMatchObject({ kind: 'forward', to: 'a' })
  if (forward === undefined) throw new Error('nothing was forwarded')
  const first = sentBy(told(leader, { kind: 'message', message: forward }))
  const second = sentBy(told(leader, { kind: 'message', message: forward }))
  for (const sent of [first, second]) {
    expect(sent.filter(({ to, kind }) => to === 'b' && kind === 'forward-accepted')).toMatchObject([
      { index: 2 },
    ])
  }
  expect(status(leader).lastIndex).toBe(2)
  expect(deadlineMs(follower)).toBeLessThanOrEqual(2_000)
  const late = told(follower, { kind: 'time' }, 2_000).flatMap((one) => one.refused)
  expect(late).toEqual([{ id: 'x', reason: 'lost' }])
})

it('a turn in which nothing happened costs nothing', () => {
  const state = leading()
  take(state)
  expect(take(state)).toBe(take(state))
})

it('what was restored must fit together', () => {
  const snapshot = { index: 4, term: 1, configuration: configurationOf(['a']) }
  const gap: Entry[] = [{ kind: 'empty', term: 1, index: 6 }]
  const restored = { term: 1, vote: undefined, snapshot, entries: gap, commit: 4 }
  expect(() => raft({ id: 'a', seed: 1 }, restored, 0)).toThrow(InvalidArgumentError)
})
