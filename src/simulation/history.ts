/**
 * A notebook that no crash can take: who asked for what, when, and what came back, in virtual time. A
 * process that is killed never writes that its call ended, so the call stays open, as it must: nobody
 * knows whether it took effect. Judges read the notebook when all is over.
 *
 * Nothing has to be passed around: whoever runs is known, so each entry names its process by itself.
 */
import { ConfigurationError, outcomeOf } from '../errors.ts'
import type { Core } from './core.ts'
import { shortText } from './history-text.ts'
import type { Incarnation } from './incarnation.ts'
import type { DrawnOperation } from './recorder.ts'

/** The fields that judges of `holdfast/verification` read, and what became of the call. */
export interface HistoryOperation<Input = unknown, Output = unknown> {
  /**
   * `machine/process`, with `#2`, `#3` … for its next life, and for calls that it makes while an earlier
   * one is open: under one name one call is made at a time.
   */
  readonly process: number | string
  readonly input: Input
  /** Absent while open, and of a call that failed. */
  readonly output?: Output
  /** Virtual milliseconds. */
  readonly calledAt: number
  /** Infinity: open. It may take effect at any time after its call, or never. */
  readonly returnedAt: number
  /** It is known that it did not happen, and never will. */
  readonly failed?: boolean
}

/** What came of a call. Of these the first one said counts; a call of which none is said stays open. */
export interface OpenCall<Output> {
  returned(output: Output): void
  /** It did not happen and never will. */
  failed(): void
}

export interface History<Input = unknown, Output = unknown> {
  /** Writes down that the process that runs now calls. */
  call(input: Input): OpenCall<Output>
  /**
   * Writes down a call, runs it and writes down its end. An error whose outcome is `unknown` leaves it
   * open; `not-applied` and `invalid` say that it did not happen. The error goes on to the caller.
   */
  record<Result extends Output>(input: Input, run: () => Promise<Result>): Promise<Result>
  /** In the order of the calls. */
  operations(): readonly HistoryOperation<Input, Output>[]
}

/** A recording process may not fill the memory. */
export const operationsMax = 1_000_000

export interface KeptHistory extends History {
  /** Shows in the picture that these cannot be right together. Places in `operations()`. */
  blame(places: readonly number[]): void
}

interface Entry {
  readonly operation: {
    -readonly [Field in keyof HistoryOperation]: HistoryOperation[Field]
  }
  readonly drawn: DrawnOperation | undefined
}

export function keptHistory(core: Core): KeptHistory {
  const entries: Entry[] = []
  const names = processNames()

  function call(input: unknown): OpenCall<unknown> {
    if (entries.length >= operationsMax) {
      throw new ConfigurationError(`a history holds at most ${operationsMax} operations`)
    }
    const owner = core.scheduler.current() ?? core.nature
    const name = names.take(owner)
    const words = shortText(input)
    const operation: Entry['operation'] = {
      process: name,
      input,
      calledAt: core.scheduler.nowUs() / 1_000,
      returnedAt: Number.POSITIVE_INFINITY,
      failed: false,
    }
    const drawn = core.recorder?.operation(owner.name, words)
    entries.push({ operation, drawn })
    core.trace.note(core.scheduler.nowUs(), owner.name, 'called', words)
    let open = true

    function end(how: 'returned' | 'failed', text: string): boolean {
      // The dead write nothing more.
      if (!open || !owner.alive) return false
      open = false
      names.giveBack(owner, name)
      operation.returnedAt = core.scheduler.nowUs() / 1_000
      core.recorder?.operationEnded(drawn, text)
      core.trace.note(core.scheduler.nowUs(), owner.name, how, `${words}: ${text}`)
      return true
    }
    return {
      returned(output) {
        if (end('returned', shortText(output))) operation.output = output
      },
      failed() {
        if (end('failed', 'failed')) operation.failed = true
      },
    }
  }

  return {
    call,
    async record(input, run) {
      const open = call(input)
      try {
        const output = await run()
        open.returned(output)
        return output
      } catch (error) {
        if (outcomeOf(error) !== 'unknown') open.failed()
        throw error
      }
    },
    operations: () => entries.map(({ operation }) => operation),
    blame(places) {
      for (const place of places) core.recorder?.blame(entries[place]?.drawn)
    },
  }
}

interface ProcessNames {
  take(owner: Incarnation): string
  giveBack(owner: Incarnation, name: string): void
}

/** A name whose call never ended is never used again: who uses it could be doing two things at once. */
function processNames(): ProcessNames {
  const free = new Map<Incarnation, string[]>()
  const given = new Map<string, number>()
  return {
    take(owner) {
      const name = free.get(owner)?.pop()
      if (name !== undefined) return name
      const count = (given.get(owner.name) ?? 0) + 1
      given.set(owner.name, count)
      return count === 1 ? owner.name : `${owner.name}#${count}`
    },
    giveBack(owner, name) {
      const names = free.get(owner)
      if (names === undefined) free.set(owner, [name])
      else names.push(name)
    },
  }
}
