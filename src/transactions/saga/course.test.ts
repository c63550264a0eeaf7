/**
 * Every turn a saga can take, by chance: whatever steps do and whenever executors are lost, what took
 * effect or may have is undone exactly when the saga did not complete, in reverse, and it ends.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  begin,
  begun,
  cancelled,
  type Ending,
  isCommitted,
  nextMove,
  resumed,
  runEnded,
  undoEnded,
  unparked,
} from './course.ts'
import { type SagaPlan, saga } from './definition.ts'
import type { SagaState, StepError } from './state.ts'

type Happening = 'done' | 'refused' | 'not-applied' | 'unknown' | 'invalid' | 'crash' | 'cancel'

const happening = fc.constantFrom<Happening>(
  'done',
  'done',
  'done',
  'refused',
  'not-applied',
  'unknown',
  'invalid',
  'crash',
  'cancel',
)

function planOf(before: number, after: number, pivot: boolean): SagaPlan {
  const run = (): void => {}
  const retry = { attemptsMax: 2, parkAfter: 3 }
  let plan = saga('s', { version: 1 }) as ReturnType<typeof saga>
  for (let index = 0; index < before; index += 1) {
    plan = plan.step(`b${index}`, { run, compensate: run, retry })
  }
  if (pivot) plan = plan.step('pivot', { run, retry })
  for (let index = 0; pivot && index < after; index += 1)
    plan = plan.step(`a${index}`, { run, retry })
  return plan
}

function endingOf(what: Happening): Ending {
  if (what === 'done') return { kind: 'done', result: 1 }
  if (what === 'refused') return { kind: 'refused', reason: 'no' }
  const outcome = what === 'not-applied' || what === 'invalid' ? what : 'unknown'
  const error: StepError = { code: 'x', message: 'x', outcome }
  return { kind: 'failed', error }
}

/** Runs the course against a world that notes what really happened. */
function drive(plan: SagaPlan, script: readonly Happening[]) {
  const applied = new Set<number>()
  const undone: number[] = []
  const moves: string[] = []
  let state: SagaState = begin(plan, {}, 0)
  let turnedAfterCommit = false
  for (let turn = 0; turn < 500; turn += 1) {
    const move = nextMove(plan, state)
    const next = script[turn] ?? 'done'
    // Who did it knows the key, and does not refuse it afterwards.
    const known = move.kind === 'run' && applied.has(move.index)
    const what = next === 'refused' && known ? 'done' : next
    if (move.kind === 'end')
      return { status: move.outcome.status, applied, undone, turnedAfterCommit }
    if (move.kind === 'park') {
      state = unparked(state)
      continue
    }
    moves.push(`${move.kind} ${move.index}`)
    state = begun(state, move, turn)
    const committed = isCommitted(plan, state)
    if (what === 'crash' || what === 'cancel') {
      if (move.kind === 'run') applied.add(move.index) // at worst
      state = resumed(plan, state, turn)
      if (what === 'cancel') state = cancelled(plan, state, { kind: 'cancelled', reason: 'x' })
    } else if (move.kind === 'run') {
      if (what === 'done' || what === 'unknown') applied.add(move.index)
      state = runEnded(plan, state, move.index, endingOf(what), turn)
    } else {
      if (what === 'done') undone.push(move.index)
      state = undoEnded(plan, state, move.index, endingOf(what), turn)
    }
    const pivotApplied = [...applied].some((index) => plan.steps[index]?.kind !== 'compensatable')
    if (committed && pivotApplied && state.direction === 'back') {
      turnedAfterCommit = true
    }
  }
  throw new Error(`it never ended: ${moves.slice(-10).join(', ')}`)
}

describe('the course of a saga', () => {
  it('SG-2, SG-3: what took effect or may have is undone in reverse unless all is done', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 0, max: 3 }),
        fc.boolean(),
        fc.array(happening, { maxLength: 60 }),
        (before, after, pivot, script) => {
          const plan = planOf(before, after, pivot)
          const { status, applied, undone, turnedAfterCommit } = drive(plan, script)
          expect(turnedAfterCommit).toBe(false)
          if (status === 'completed') {
            expect(applied.size).toBe(plan.steps.length)
            expect(undone).toEqual([])
            return
          }
          expect(undone).toEqual([...undone].sort((a, b) => b - a))
          const mustUndo = [...applied].filter((i) => plan.steps[i]?.kind === 'compensatable')
          expect(mustUndo.filter((index) => !undone.includes(index))).toEqual([])
        },
      ),
      { numRuns: 2_000, seed: 42 },
    )
  })
})
