/**
 * Broken machines, each with one bug that somebody once wrote: the negative controls of the random lives.
 * Each wraps the sound machine from outside and meddles with what goes in, what comes out, or the state in
 * between; nothing of this is within a user's reach.
 */
import { advanceCommit } from './commit.ts'
import { inForce } from './configurations.ts'
import type { RaftOutputs } from './contract.ts'
import type { Configuration } from './entry.ts'
import { type Core, soundCore } from './group.sim.ts'
import { cutFrom, entryAt, lastIndexOf, termAt } from './log.ts'
import { settleChange } from './membership.ts'
import { quorumValue } from './quorum.ts'
import type { Weights } from './schedule.sim.ts'
import type { PlacedConfiguration, RaftState } from './state.ts'

export interface Planted {
  /** The bullet it breaks. */
  readonly breaks: string
  readonly bug: string
  readonly core: Core
  /** The kind of life in which it shows. */
  readonly weights: Partial<Weights>
  /** Too rare for chance: a scenario of its own finds it. */
  readonly directed: boolean
}

function directed(breaks: string, bug: string, part: Partial<Core>): Planted {
  return { ...broken(breaks, bug, part), directed: true }
}

function broken(
  breaks: string,
  bug: string,
  part: Partial<Core>,
  weights: Partial<Weights> = {},
): Planted {
  return { breaks, bug, core: { ...soundCore, ...part }, weights, directed: false }
}

/** Runs `work` with another configuration in force, and puts the true one back. */
function counting(
  state: RaftState,
  change: (configuration: Configuration) => Configuration,
  work: () => void,
): void {
  const at = state.configurations.length - 1
  const placed = state.configurations[at]
  if (placed === undefined) return
  const false_: PlacedConfiguration = {
    index: placed.index,
    configuration: change(placed.configuration),
  }
  state.configurations[at] = false_
  work()
  // A change made meanwhile stands; what was put in is taken out again.
  const back = state.configurations.indexOf(false_)
  if (back >= 0) state.configurations[back] = placed
  const last = state.configurations[state.configurations.length - 1]
  if (state.lead !== undefined && last === placed && placed.configuration.outgoing.length > 0) {
    settleChange(state, state.lead)
  }
}

const counts = (kind: string): boolean => kind === 'message' || kind === 'written'

const replies = (state: RaftState, when: (outputs: RaftOutputs) => RaftOutputs): RaftOutputs =>
  when(soundCore.take(state, state.nowMs))

const everythingAtOnce = (outputs: RaftOutputs): RaftOutputs => ({
  ...outputs,
  send: [...outputs.send, ...outputs.sendAfter.map(({ message }) => message)],
  sendAfter: [],
})

const votesAtOnce = (outputs: RaftOutputs): RaftOutputs => {
  const early = outputs.sendAfter.filter(({ message }) => message.kind === 'vote-reply')
  return {
    ...outputs,
    send: [...outputs.send, ...early.map(({ message }) => message)],
    sendAfter: outputs.sendAfter.filter(({ message }) => message.kind !== 'vote-reply'),
  }
}

export const planted: readonly Planted[] = [
  broken('RF-1', 'a vote is given before it is durable', {
    // A restarted member that votes for nobody for a while would hide it most of the time.
    start(options, restored, nowMs) {
      const state = soundCore.start(options, restored, nowMs)
      state.stickyUntilMs = -Infinity
      return state
    },
    take: (state) => replies(state, votesAtOnce),
  }),
  broken('RF-1', 'entries are acknowledged before they are durable', {
    take: (state) => replies(state, everythingAtOnce),
  }),
  broken(
    'RF-2',
    'copies of an earlier term’s entry are counted',
    {
      step(state, input, nowMs) {
        soundCore.step(state, input, nowMs)
        const { lead, log, settings } = state
        if (lead === undefined) return
        const index = quorumValue(inForce(state), (member) =>
          member === settings.id ? log.durable : (lead.followers.get(member)?.match ?? 0),
        )
        if (index > state.commit && index <= lastIndexOf(log)) state.commit = index
      },
    },
    { cut: 0.4, loss: 0.1, jump: 0.06, crash: 0, snapshot: 0, churn: 0, transfer: 0 },
  ),
  broken('RF-2', 'the leader counts its own entries before its disk has them', {
    take(state) {
      const outputs = soundCore.take(state, state.nowMs)
      if (state.lead !== undefined) {
        state.log.durable = state.log.taken
        advanceCommit(state)
      }
      return outputs
    },
  }),
  broken('RF-3', 'an older append cuts what came after it', {
    step(state, input, nowMs) {
      soundCore.step(state, input, nowMs)
      if (input.kind !== 'message' || input.message.kind !== 'append') return
      const { message } = input
      const end = message.prevIndex + message.entries.length
      if (message.term !== state.term || state.installing !== undefined) return
      if (termAt(state.log, message.prevIndex) !== message.prevTerm) return
      if (end < state.commit || end >= lastIndexOf(state.log)) return
      cutFrom(state.log, end + 1)
      state.configurations.splice(
        0,
        state.configurations.length,
        ...state.configurations.filter(({ index }) => index <= end),
      )
    },
  }),
  broken('RF-3', 'the commit index runs ahead of what was compared', {
    step(state, input, nowMs) {
      soundCore.step(state, input, nowMs)
      if (input.kind !== 'message' || state.installing !== undefined) return
      const { message } = input
      if (message.kind !== 'append' || message.term !== state.term) return
      state.commit = Math.max(state.commit, Math.min(message.commit, lastIndexOf(state.log)))
    },
  }),
  broken('RF-5', 'a read is answered without asking a quorum', {
    step(state, input, nowMs) {
      soundCore.step(state, input, nowMs)
      const { lead, settings } = state
      if (lead === undefined) return
      for (const { id, from, index } of lead.reads.splice(0)) {
        if (from === settings.id) state.outbox.reads.push({ id, index })
      }
    },
  }),
  broken('RF-5', 'a new leader answers reads before it has committed anything', {
    step(state, input, nowMs) {
      soundCore.step(state, input, nowMs)
      if (state.lead !== undefined) Object.assign(state.lead, { startIndex: 0 })
    },
  }),
  directed('RF-5', 'a lease is counted from the reply', {
    step(state, input, nowMs) {
      soundCore.step(state, input, nowMs)
      if (input.kind !== 'message') return
      const progress = state.lead?.followers.get(input.message.from)
      if (progress !== undefined) progress.roundSentMs = state.nowMs
    },
  }),
  broken(
    'RF-5',
    'a lease outlives the handing over of leadership',
    {
      step(state, input, nowMs) {
        soundCore.step(state, input, nowMs)
        if (state.lead !== undefined) state.lead.leaseGone = false
      },
    },
    { transfer: 0.2, read: 0.5 },
  ),
  broken('RF-6', 'one majority is enough in a joint configuration', {
    step(state, input, nowMs) {
      const work = (): void => soundCore.step(state, input, nowMs)
      if (counts(input.kind)) counting(state, (joint) => ({ ...joint, outgoing: [] }), work)
      else work()
    },
  }),
  broken('RF-6', 'a configuration stays when its entry is cut', {
    step(state, input, nowMs) {
      const before = [...state.configurations]
      soundCore.step(state, input, nowMs)
      const last = before[before.length - 1]
      const now = state.configurations[state.configurations.length - 1]
      if (last === undefined || now === undefined || input.kind !== 'message') return
      if (now.index < last.index) state.configurations.push(last)
    },
  }),
  broken('RF-6', 'learners are counted', {
    step(state, input, nowMs) {
      const { id } = state.settings
      // As many as a majority of the voters, but learners among them.
      const withLearners = (configuration: Configuration): Configuration => {
        const { learners, voters } = configuration
        if (!voters.includes(id)) return configuration
        const counted = [...new Set([id, ...learners, ...voters])].slice(0, voters.length)
        return { ...configuration, voters: counted }
      }
      const work = (): void => soundCore.step(state, input, nowMs)
      if (counts(input.kind)) counting(state, withLearners, work)
      else work()
    },
  }),
  broken(
    'RF-7',
    'the log goes before the snapshot in its place is durable',
    {
      interrupted(disk, work) {
        if (work.kind === 'install') disk.entries = []
      },
    },
    { snapshot: 0.3, crash: 0.4, loss: 0.1, slowDisk: true },
  ),
  broken('RF-7', 'an older snapshot replaces a newer state', {
    step(state, input, nowMs) {
      soundCore.step(state, input, nowMs)
      if (input.kind !== 'snapshot-received' || state.installing !== undefined) return
      if (input.mark.index > state.commit || state.lead !== undefined) return
      state.installing = input.mark
      state.outbox.install = input.mark
      state.commit = input.mark.index
      state.emitted = Math.min(state.emitted, input.mark.index)
    },
  }),
  broken('RF-8', 'a doubled message appends its commands twice', {
    step(state, input, nowMs) {
      soundCore.step(state, input, nowMs)
      state.lead?.seen.clear()
    },
  }),
  directed('RF-10', 'a late confirmation counts for entries that came again', {
    step(state, input, nowMs) {
      const before = state.log.writes.map(({ ticket, lastIndex }) => ({ ticket, lastIndex }))
      const { cuts } = state.log
      soundCore.step(state, input, nowMs)
      if (state.log.cuts === cuts || input.kind !== 'message') return
      for (const write of state.log.writes) {
        const old = before.find(({ ticket }) => ticket === write.ticket)
        if (old === undefined || entryAt(state.log, old.lastIndex) === undefined) continue
        write.lastIndex = Math.max(write.lastIndex, old.lastIndex)
      }
    },
  }),
]
