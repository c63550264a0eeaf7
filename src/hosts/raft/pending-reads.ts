/**
 * Readers who wait until this member has seen enough. All that ask in one turn share one question to the
 * leader, for what ended before the question was put had ended before each of them could be answered. A
 * read changes nothing, so a question that went wrong is simply put again.
 */
import { CancelledError, LimitExceededError, UnavailableError } from '../../errors.ts'
import type { Refusal } from '../../protocols/raft/contract.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import type { WaitOptions } from './contract.ts'
import { type Waiting, waiting } from './waiting.ts'

type By = 'quorum' | 'lease'

export interface ReadQuestion {
  readonly id: string
  readonly by: By
}

export interface PendingReads {
  wait(by: By, options: WaitOptions): Promise<void>
  /** The questions to put now. */
  take(): readonly ReadQuestion[]
  answered(id: string, index: number, applied: number): void
  /** @returns `false` if the id is not of a read. */
  refused(id: string, reason: Refusal): boolean
  applied(index: number): void
  retry(): void
  readonly waitsForLeader: boolean
  end(reason: string): void
}

export interface PendingReadOptions {
  readonly readsMax: number
  wake(): void
}

export function pendingReads(runtime: Runtime, options: PendingReadOptions): PendingReads {
  type Readers = Waiting<void>[]
  // An answer to a question of an earlier start must not pass for one of this.
  const life = runtime.random.id('raft-reads').slice(0, 16)
  const asking: Record<By, Readers> = { quorum: [], lease: [] }
  const asked = new Map<string, Readers>()
  let parked: Readers = []
  /** Answered, and waiting for this member to catch up. */
  let behind: { readonly index: number; readonly readers: Readers }[] = []
  let count = 0
  let questions = 0
  let ended: string | undefined

  return {
    wait(by, wait) {
      if (ended !== undefined) throw new UnavailableError(ended)
      if (wait.signal?.aborted) throw new CancelledError('the wait was aborted before it began')
      if (count >= options.readsMax) throw new LimitExceededError(`${count} reads wait already`)
      count += 1
      const reader = waiting<void>(
        runtime,
        wait,
        (why) =>
          why === 'timeout'
            ? new UnavailableError('no quorum answered in time')
            : new CancelledError('the wait was aborted'),
        () => {
          count -= 1
        },
      )
      asking[by].push(reader)
      options.wake()
      return reader.promise
    },
    take() {
      const taken: ReadQuestion[] = []
      for (const by of ['quorum', 'lease'] as const) {
        const readers = asking[by].filter(({ over }) => !over)
        asking[by] = []
        if (readers.length === 0) continue
        questions += 1
        const id = `${life}-r${questions}`
        asked.set(id, readers)
        taken.push({ id, by })
      }
      return taken
    },
    answered(id, index, applied) {
      const readers = asked.get(id)
      if (readers === undefined) return
      asked.delete(id)
      if (index > applied) behind.push({ index, readers })
      else for (const reader of readers) reader.resolve()
    },
    refused(id, reason) {
      const readers = asked.get(id)
      if (readers === undefined) return false
      asked.delete(id)
      if (reason === 'full') {
        const error = new UnavailableError('the leader has too many reads waiting')
        for (const reader of readers) reader.reject(error)
      } else if (reason === 'lease-unsure') {
        // Slower, and as true: a quorum is asked instead.
        asking.quorum.push(...readers)
        options.wake()
      } else parked.push(...readers)
      return true
    },
    applied(index) {
      if (behind.length === 0) return
      const reached = behind.filter((one) => one.index <= index)
      if (reached.length === 0) return
      behind = behind.filter((one) => one.index > index)
      for (const { readers } of reached) for (const reader of readers) reader.resolve()
    },
    retry() {
      if (parked.length === 0) return
      asking.quorum.push(...parked)
      parked = []
      options.wake()
    },
    get waitsForLeader() {
      return parked.length > 0
    },
    end(reason) {
      ended = reason
      const rest = [parked, asking.quorum, asking.lease, ...asked.values()]
      for (const reader of [...rest, ...behind.map(({ readers }) => readers)].flat()) {
        reader.reject(new UnavailableError(reason))
      }
      asked.clear()
      parked = []
      behind = []
    },
  }
}
