/**
 * Misfortune that is legal and, left to chance, rare: a call is carried out but its answer is lost, or it
 * is carried out long after everyone stopped waiting. A correct shop does not notice; a participant that
 * counts on hearing everything once and in order does.
 */
import { OutcomeUnknownError } from 'holdfast/errors'
import type { SqlDatabase } from 'holdfast/ports'
import { type Runtime, sleep } from 'holdfast/runtime'
import type { Handlers, Procedures } from 'holdfast/services/rpc'

/** Of all calls so many lose their answer, and as many are late. */
const share = 0.1
/** Longer than any caller of the shop waits. */
const lateMs = 7_000

export function roughHandlers<P extends Procedures>(
  { random, timers }: Runtime,
  handlers: Handlers<P>,
): Handlers<P> {
  const rough = Object.entries(handlers).map(([name, handle]: [string, Handle]) => {
    const worse: Handle = async (input, call) => {
      const chance = random.fraction('rough')
      if (chance > 1 - share) await sleep(timers, lateMs)
      const answer = await handle(input, call)
      if (chance < share) throw new OutcomeUnknownError('the answer was lost')
      return answer
    }
    return [name, worse]
  })
  return Object.fromEntries(rough) as Handlers<P>
}

type Handle = (input: never, call: never) => unknown

/** Commits, and sometimes cannot say so. */
export function roughDatabase({ random }: Runtime, database: SqlDatabase): SqlDatabase {
  return {
    ...database,
    async run(batch) {
      const outcome = await database.run(batch)
      if (batch.mode !== 'read' && random.fraction('rough') < share) {
        throw new OutcomeUnknownError('the answer was lost')
      }
      return outcome
    },
  }
}
