/**
 * The definition, taken at its word: tries every order of every choice of open operations. For histories of
 * up to eight operations; its only use is to be right where the search could be wrong.
 */
import type { History } from '../history.ts'
import type { Model } from './model.ts'

export function linearizableByDefinition<State, Input, Output>(
  history: History<Input, Output>,
  model: Pick<Model<State, Input, Output>, 'initial' | 'step'>,
): boolean {
  function extend(state: State, left: readonly number[]): boolean {
    if (left.every((place) => history[place]?.returnedAt === Number.POSITIVE_INFINITY)) return true
    return left.some((place) => {
      const operation = history[place]
      if (operation === undefined) return false
      // Nothing still to be placed may have returned before this one was called.
      const tooEarly = left.some((other) => (history[other]?.returnedAt ?? 0) < operation.calledAt)
      if (tooEarly) return false
      const after = model.step(state, operation.input, operation.output)
      if (after === undefined) return false
      return extend(
        after,
        left.filter((other) => other !== place),
      )
    })
  }
  return extend(
    model.initial,
    history.map((_, place) => place),
  )
}
