/**
 * Commands and the people who wait for them. Each is at one of three places: here in the queue, where
 * nothing has happened yet; with the machine, where anything may have; or at a known place in the log, where
 * it is applied if the entry that is committed there is of the term it was given, and never otherwise.
 * So the answer to "did it happen?" follows from the place, and is never guessed.
 */
import {
  CancelledError,
  type HoldfastError,
  LimitExceededError,
  OutcomeUnknownError,
  UnavailableError,
} from '../../errors.ts'
import type { Accepted, Refusal } from '../../protocols/raft/contract.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import type { WaitOptions } from './contract.ts'
import { type Waiting, waiting } from './waiting.ts'

interface Proposal {
  readonly command: Uint8Array
  place: 'queue' | 'machine' | 'log'
  readonly wait: Waiting<Uint8Array>
}

export interface ProposalBatch {
  readonly id: string
  readonly commands: readonly Uint8Array[]
}

export interface PendingOptions {
  readonly proposalsMax: number
  readonly proposalBytesMax: number
  /** One batch becomes one message: commands and bytes in it, at most. One larger command goes alone. */
  readonly batchMax: number
  readonly batchBytesMax: number
  /** Something waits in the queue. */
  wake(): void
}

export interface PendingProposals {
  propose(command: Uint8Array, options: WaitOptions): Promise<Uint8Array>
  /** What may be handed to the machine now. */
  take(): readonly ProposalBatch[]
  accepted(accepted: Accepted): void
  /** @returns `false` if the id is not of a batch; `true` and they wait for a leader, if that helps. */
  refused(id: string, reason: Refusal): boolean
  /** The entry at `index` is applied. `answer` is absent for one that is no command. */
  applied(index: number, term: number, answer: Uint8Array | undefined): void
  /** A snapshot took the place of all entries up to `index`: what became of them is not seen here. */
  skipped(index: number): void
  /** There may be a leader now: refused proposals are tried again. */
  retry(): void
  readonly waitsForLeader: boolean
  readonly count: number
  /** Nothing will be handed over or applied any more. */
  end(reason: string): void
}

/** Answers kept while a leader elsewhere has not said where a proposal stands. */
const recentMax = 4_096

export function pendingProposals(runtime: Runtime, options: PendingOptions): PendingProposals {
  // Ids must be new after each start, even within one process: a leader knows those it has seen again.
  const life = runtime.random.id('raft-proposals').slice(0, 16)
  let queue: Proposal[] = []
  /** Refused for want of a leader. */
  let parked: Proposal[] = []
  const handed = new Map<string, readonly Proposal[]>()
  const placed = new Map<number, { readonly term: number; readonly proposal: Proposal }[]>()
  const recent = new Map<number, { readonly term: number; readonly answer?: Uint8Array }>()
  let appliedIndex = 0
  let count = 0
  let bytes = 0
  let batches = 0
  let ended: string | undefined

  function giveUp(proposal: Proposal, why: 'timeout' | 'aborted'): HoldfastError {
    const text = why === 'timeout' ? 'the time is up' : 'the wait was aborted'
    if (proposal.place !== 'queue') {
      return new OutcomeUnknownError(`${text}; the command may be applied, now or later`)
    }
    if (why === 'aborted') return new CancelledError(`${text} before anything was done`)
    return new UnavailableError(`${text}: no leader took the command`)
  }

  function propose(command: Uint8Array, wait: WaitOptions): Promise<Uint8Array> {
    if (ended !== undefined) throw new UnavailableError(ended)
    if (wait.signal?.aborted) throw new CancelledError('the wait was aborted before it began')
    const { proposalsMax, proposalBytesMax } = options
    if (count >= proposalsMax || (count > 0 && bytes + command.length > proposalBytesMax)) {
      throw new LimitExceededError(`${count} proposals of ${bytes} bytes wait already`)
    }
    count += 1
    bytes += command.length
    const proposal: Proposal = {
      command,
      place: 'queue',
      wait: waiting(
        runtime,
        wait,
        (why) => giveUp(proposal, why),
        () => {
          count -= 1
          bytes -= command.length
        },
      ),
    }
    queue.push(proposal)
    options.wake()
    return proposal.wait.promise
  }

  function nextBatch(): readonly Proposal[] {
    let size = 0
    let taken = 0
    for (const { command } of queue) {
      if (taken >= options.batchMax) break
      if (taken > 0 && size + command.length > options.batchBytesMax) break
      size += command.length
      taken += 1
    }
    return queue.splice(0, taken)
  }

  function settle(
    { place, wait }: Proposal,
    index: number,
    fits: boolean,
    answer: Uint8Array | undefined,
  ): void {
    if (fits && answer !== undefined) {
      wait.resolve(answer)
      return
    }
    wait.reject(
      fits || place !== 'log'
        ? new OutcomeUnknownError(`what became of entry ${index} is not known here`)
        : new UnavailableError(`another leader's entry took the place of the command at ${index}`),
    )
  }

  function place(proposal: Proposal, index: number, term: number): void {
    proposal.place = 'log'
    if (proposal.wait.over) return
    if (index > appliedIndex) {
      const there = placed.get(index) ?? []
      there.push({ term, proposal })
      placed.set(index, there)
      return
    }
    // The leader's word came after its entries: the answer is still here, or nobody knows it any more.
    const known = recent.get(index)
    if (known === undefined) {
      proposal.wait.reject(new OutcomeUnknownError(`entry ${index} was applied long ago`))
    } else settle(proposal, index, known.term === term, known.answer)
  }

  return {
    propose,
    take() {
      queue = queue.filter(({ wait }) => !wait.over)
      const taken: ProposalBatch[] = []
      while (queue.length > 0) {
        const batch = nextBatch()
        batches += 1
        const id = `${life}-${batches}`
        for (const proposal of batch) proposal.place = 'machine'
        handed.set(id, batch)
        taken.push({ id, commands: batch.map(({ command }) => command) })
      }
      return taken
    },
    accepted({ id, index, term }) {
      const batch = handed.get(id) ?? []
      handed.delete(id)
      for (const [offset, proposal] of batch.entries()) place(proposal, index + offset, term)
      if (handed.size === 0) recent.clear()
    },
    refused(id, reason) {
      const batch = handed.get(id)
      if (batch === undefined) return false
      handed.delete(id)
      for (const proposal of batch) {
        if (reason === 'lost') {
          proposal.wait.reject(
            new OutcomeUnknownError('the leader it was sent to said no more; it may be applied'),
          )
          continue
        }
        proposal.place = 'queue'
        if (reason === 'full') {
          proposal.wait.reject(new UnavailableError('the leader has too much uncommitted'))
        } else parked.push(proposal)
      }
      return true
    },
    applied(index, term, answer) {
      appliedIndex = index
      if (handed.size > 0) {
        recent.set(index, answer === undefined ? { term } : { term, answer })
        if (recent.size > recentMax)
          for (const oldest of recent.keys()) {
            recent.delete(oldest)
            break
          }
      }
      const there = placed.get(index)
      if (there === undefined) return
      placed.delete(index)
      for (const one of there) settle(one.proposal, index, one.term === term, answer)
    },
    skipped(index) {
      appliedIndex = Math.max(appliedIndex, index)
      recent.clear()
      for (const [at, there] of placed) {
        if (at > index) continue
        placed.delete(at)
        for (const { proposal } of there) {
          proposal.wait.reject(new OutcomeUnknownError(`entry ${at} came as part of a snapshot`))
        }
      }
    },
    retry() {
      if (parked.length === 0) return
      queue = [...parked, ...queue]
      parked = []
      options.wake()
    },
    get waitsForLeader() {
      return parked.length > 0
    },
    get count() {
      return count
    },
    end(reason) {
      ended = reason
      for (const { wait } of [...queue, ...parked]) wait.reject(new UnavailableError(reason))
      const unknown = [...handed.values(), ...[...placed.values()].map(proposalsOf)].flat()
      for (const { wait } of unknown) wait.reject(new OutcomeUnknownError(reason))
      queue = []
      parked = []
      handed.clear()
      placed.clear()
      recent.clear()
    },
  }
}

function proposalsOf(there: readonly { readonly proposal: Proposal }[]): readonly Proposal[] {
  return there.map(({ proposal }) => proposal)
}
