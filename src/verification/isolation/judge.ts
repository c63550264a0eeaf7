/**
 * Isolation as a judge over a history of transactions: the input is what the client asked for, the output
 * the same steps with what it was told.
 */
import type { HistoryJudge } from '../judge.ts'
import { checkIsolation, type IsolationOptions } from './check.ts'
import type { ListStep, RegisterStep } from './transaction.ts'
import type { IsolationModel } from './validate.ts'

export interface TransactionSteps {
  /** In program order. Of a read in the input, the value counts for nothing: `null`. */
  readonly steps: readonly (ListStep | RegisterStep)[]
}

/**
 * Are the transactions isolated as `level` says? A call that failed is an aborted transaction, one that is
 * open may have happened or not.
 */
export function isolated(
  model: IsolationModel,
  options: Omit<IsolationOptions, 'model'> = {},
): HistoryJudge<TransactionSteps, TransactionSteps> {
  const level = options.level ?? 'strict-serializable'
  return {
    name: `${level}(${model})`,
    judge(history) {
      const transactions = history.map(({ process, input, output, failed, ...times }) => {
        const open = times.returnedAt === Number.POSITIVE_INFINITY
        const status = failed === true ? 'aborted' : open ? 'unknown' : 'committed'
        const { steps } = output ?? input
        return { ...times, process, status, steps } as const
      })
      const report = checkIsolation(transactions, { ...options, model })
      const { verdict, anomalies, problem } = report
      const [worst] = anomalies.filter(({ breaks }) => breaks.includes(level))
      if (verdict !== 'violation' || worst === undefined) {
        return { verdict, ...(problem === undefined ? {} : { words: problem.words }) }
      }
      const { name, words, transactions: places } = worst
      return { verdict, kind: name, words: `${name}: ${words}`, places }
    },
  }
}
