/**
 * All notebooks of a world and the judges that will read them, once the workload, the healing and the
 * final checks are over. A judge that cannot decide is written down by name: it is no pass.
 */
import { ConfigurationError } from '../errors.ts'
import type { Core } from './core.ts'
import { type HistoryOperation, type KeptHistory, keptHistory } from './history.ts'
import { shortText } from './history-text.ts'

/** A judge of `holdfast/verification`, or your own. */
export interface HistoryJudge<Input = unknown, Output = unknown> {
  /** The verdict class under which a run fails: `linearizable(register)`. */
  readonly name: string
  /** Pure: the same history gives the same answer, on every machine. */
  judge(history: readonly HistoryOperation<Input, Output>[]): Judgement
}

export interface Judgement {
  /** `unknown`: the judge ran out of steps, or the history does not say enough. The seed does not count. */
  readonly verdict: 'ok' | 'violation' | 'unknown'
  /** What sort of violation: shrinking keeps to it. */
  readonly kind?: string
  /** Why, for people. */
  readonly words?: string
  /** Operations that cannot be right together: places in the history. */
  readonly places?: readonly number[]
}

export interface Histories {
  history(name: string): KeptHistory
  check(judge: HistoryJudge, historyName: string): void
  /** Lets all judges read. `fail` is told the first violation. */
  judge(fail: (name: string, message: string, kind: string | undefined) => void): void
  /** Judges that could not decide, with the reason. */
  undecided(): readonly string[]
  reasonNotToCount(): string | undefined
}

const blamedMax = 12

export function histories(core: Core): Histories {
  const kept = new Map<string, KeptHistory>()
  const checks: { readonly judge: HistoryJudge; readonly historyName: string }[] = []
  const undecided: string[] = []

  function history(name: string): KeptHistory {
    let known = kept.get(name)
    if (known === undefined) {
      known = keptHistory(core)
      kept.set(name, known)
    }
    return known
  }

  return {
    history,
    check(judge, historyName) {
      if (checks.some((one) => one.judge.name === judge.name && one.historyName === historyName)) {
        throw new ConfigurationError(`"${historyName}" is checked by "${judge.name}" already`)
      }
      checks.push({ judge, historyName })
    },
    judge(fail) {
      for (const { judge, historyName } of checks) {
        const book = history(historyName)
        const operations = book.operations()
        const { verdict, kind, words = '', places = [] } = judge.judge(operations)
        if (verdict === 'unknown') undecided.push(`${judge.name}: ${words || 'unknown'}`)
        if (verdict !== 'violation') continue
        book.blame(places)
        const reason = [words, ...told(operations, places)].filter((text) => text !== '')
        return fail(judge.name, reason.join('\n'), kind)
      }
    },
    undecided: () => undecided,
    reasonNotToCount() {
      const [unsure] = undecided
      return unsure === undefined ? undefined : `a judge could not decide: ${unsure}`
    },
  }
}

function told(operations: readonly HistoryOperation[], places: readonly number[]): string[] {
  const lines = places.slice(0, blamedMax).flatMap((place) => {
    const operation = operations[place]
    return operation === undefined ? [] : [`  ${lineOf(operation)}`]
  })
  const more = places.length - blamedMax
  return more > 0 ? [...lines, `  and ${more} more`] : lines
}

function lineOf({ process, input, output, calledAt, returnedAt }: HistoryOperation): string {
  const open = returnedAt === Number.POSITIVE_INFINITY
  const end = open ? 'never' : `${returnedAt.toFixed(3)} ms`
  const answer = open ? 'no answer' : shortText(output)
  return `${process}  ${shortText(input)} → ${answer}  (${calledAt.toFixed(3)} ms to ${end})`
}
