/**
 * The course of a saga as pure functions: what is known → what comes next, and what happened → what is
 * known now. No clock, no chance, no I/O, so every turn can be tried by hand.
 *
 * Two rules carry it. A step whose outcome is unknown counts as done when the saga turns back. And the
 * direction changes at most once, before the point of no return.
 */
import type { PlannedStep, SagaPlan } from './definition.ts'
import type { SagaState, StepError, StepState, StoredOutcome, TurnCause } from './state.ts'

/** A step that ends its process each time is found out after this many crashes. */
const crashesMax = 10

export type Move =
  | { readonly kind: 'run' | 'undo'; readonly index: number }
  | { readonly kind: 'end'; readonly outcome: StoredOutcome }
  | { readonly kind: 'park' }

export type Ending =
  | { readonly kind: 'done'; readonly result: unknown }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'failed'; readonly error: StepError }

export function begin(plan: SagaPlan, input: unknown, nowMs: number): SagaState {
  const steps = plan.steps.map(({ name }) => fresh(name))
  const { name: saga, version } = plan
  return { format: 1, saga, version, input, startedAtMs: nowMs, direction: 'forward', steps }
}

function fresh(name: string): StepState {
  const counts = { attempts: 0, failures: 0, crashes: 0, undoAttempts: 0 }
  return { name, status: 'waiting', ...counts, doubt: false }
}

export function nextMove(plan: SagaPlan, state: SagaState): Move {
  if (state.parked) return { kind: 'park' }
  if (state.direction === 'forward') {
    const index = state.steps.findIndex(({ status }) => status !== 'done' && status !== 'skipped')
    return index === -1 ? { kind: 'end', outcome: { status: 'completed' } } : { kind: 'run', index }
  }
  const index = state.steps.findLastIndex((step, i) => mustUndo(plan.steps[i], step))
  if (index !== -1) return { kind: 'undo', index }
  const cause = state.cause ?? { kind: 'cancelled', reason: 'unknown' }
  return { kind: 'end', outcome: { status: 'compensated', cause } }
}

function mustUndo(planned: PlannedStep | undefined, step: StepState): boolean {
  if (planned?.compensate === undefined) return false
  const { status, doubt } = step
  return status === 'done' || status === 'undoing' || (doubt && isOpen(step))
}

function isOpen({ status }: StepState): boolean {
  return status === 'waiting' || status === 'running' || status === 'failed'
}

/** Past this point the saga can only go forward: the pivot took effect, or may have. */
export function isCommitted(plan: SagaPlan, state: SagaState): boolean {
  return state.steps.some(
    ({ status, doubt }, index) =>
      plan.steps[index]?.kind !== 'compensatable' &&
      (doubt || status === 'running' || status === 'done' || status === 'skipped'),
  )
}

/** The intent, to be stored before the call leaves. */
export function begun(
  state: SagaState,
  { kind, index }: Move & { index: number },
  nowMs: number,
): SagaState {
  return withStep(state, index, (step) =>
    kind === 'run'
      ? {
          ...step,
          status: 'running',
          attempts: step.attempts + 1,
          startedAtMs: step.startedAtMs ?? nowMs,
        }
      : {
          ...step,
          status: 'undoing',
          undoAttempts: step.undoAttempts + 1,
          ...(step.status === 'undoing' ? {} : { failures: 0, crashes: 0 }),
          undoStartedAtMs: step.undoStartedAtMs ?? nowMs,
        },
  )
}

/** After a change of executor: what was running may have taken effect. */
export function resumed(plan: SagaPlan, before: SagaState, nowMs: number): SagaState {
  const index = before.steps.findIndex(({ status }) => status === 'running' || status === 'undoing')
  const planned = plan.steps[index]
  if (planned === undefined) return before
  const state = withStep(before, index, (step) =>
    step.status === 'running'
      ? { ...step, status: 'waiting', doubt: true, crashes: step.crashes + 1 }
      : { ...step, crashes: step.crashes + 1 },
  )
  const { crashes = 0, status } = state.steps[index] ?? {}
  if (crashes <= crashesMax) return state
  const message = `the executor was lost ${crashes} times during this step`
  if (status === 'undoing') return park(state, planned.name, message, nowMs)
  const error: StepError = { code: 'executor-lost', message, outcome: 'unknown' }
  return givenUp(state, planned, index, error, nowMs)
}

export function runEnded(
  plan: SagaPlan,
  before: SagaState,
  index: number,
  ending: Ending,
  nowMs: number,
): SagaState {
  const planned = plan.steps[index]
  if (planned === undefined) return before
  const { kind, retry, name } = planned
  const at = { endedAtMs: nowMs }
  if (ending.kind === 'done') {
    const { result } = ending
    return withStep(before, index, ({ error: _, ...step }) => ({
      ...step,
      ...at,
      status: 'done',
      failures: 0,
      result,
    }))
  }
  if (ending.kind === 'refused') {
    const error: StepError = {
      code: 'saga-refused',
      message: ending.reason,
      outcome: 'not-applied',
    }
    const state = withStep(before, index, (step) => ({ ...step, ...at, status: 'failed', error }))
    if (kind === 'retriable') return park(state, name, `refused: ${ending.reason}`, nowMs)
    return turnBack(state, { kind: 'refused', step: name, reason: ending.reason })
  }
  const { error } = ending
  const state = withStep(before, index, (step) => ({
    ...step,
    ...at,
    status: 'waiting',
    failures: step.failures + 1,
    doubt: step.doubt || error.outcome === 'unknown',
    error,
  }))
  const { failures = 0, doubt = true } = state.steps[index] ?? {}
  const onlyForward = kind === 'retriable' || (kind === 'pivot' && doubt)
  const limit = onlyForward ? retry.parkAfter : retry.attemptsMax
  const hopeless = error.outcome === 'invalid' || failures >= limit
  return hopeless ? givenUp(state, planned, index, error, nowMs) : state
}

function givenUp(
  state: SagaState,
  { kind, name }: PlannedStep,
  index: number,
  error: StepError,
  nowMs: number,
): SagaState {
  const doubt = state.steps[index]?.doubt ?? true
  if (kind === 'retriable' || (kind === 'pivot' && doubt)) {
    return park(state, name, error.message, nowMs)
  }
  const failed = withStep(state, index, (step) => ({ ...step, status: 'failed' }))
  return turnBack(failed, { kind: 'failed', step: name, error })
}

export function undoEnded(
  plan: SagaPlan,
  before: SagaState,
  index: number,
  ending: Ending,
  nowMs: number,
): SagaState {
  const planned = plan.steps[index]
  if (planned === undefined) return before
  const at = { undoEndedAtMs: nowMs }
  if (ending.kind === 'done') {
    return withStep(before, index, ({ error: _, ...step }) => ({
      ...step,
      ...at,
      status: 'undone',
    }))
  }
  const error: StepError =
    ending.kind === 'failed'
      ? ending.error
      : { code: 'saga-refused', message: ending.reason, outcome: 'invalid' }
  const state = withStep(before, index, (step) => ({
    ...step,
    ...at,
    failures: step.failures + 1,
    error,
  }))
  const failures = state.steps[index]?.failures ?? 0
  const hopeless = error.outcome === 'invalid' || failures >= planned.retry.parkAfter
  return hopeless ? park(state, planned.name, error.message, nowMs) : state
}

/** Ends the way forward, if there is still a way back; else changes nothing. */
export function cancelled(plan: SagaPlan, state: SagaState, cause: TurnCause): SagaState {
  if (state.direction === 'back' || isCommitted(plan, state)) return state
  return turnBack(state, cause)
}

function turnBack(state: SagaState, cause: TurnCause): SagaState {
  return { ...state, direction: 'back', cause }
}

function park(state: SagaState, step: string, reason: string, nowMs: number): SagaState {
  const { direction } = state
  return { ...state, parked: { step, direction, reason, sinceMs: nowMs } }
}

/** The operator says: try again. */
export function unparked(state: SagaState): SagaState {
  const { parked, ...rest } = state
  if (parked === undefined) return state
  const again = { failures: 0, crashes: 0 }
  const steps = state.steps.map((step) =>
    step.name === parked.step
      ? { ...step, ...again, status: step.status === 'failed' ? 'waiting' : step.status }
      : step,
  ) satisfies readonly StepState[]
  return { ...rest, steps }
}

/** The operator says: take this step as settled. Only the step that the saga is parked at. */
export function skipped(state: SagaState, name: string): SagaState {
  if (state.parked?.step !== name) return state
  const { parked: _, ...rest } = state
  const steps = state.steps.map((step) =>
    step.name === name ? ({ ...step, status: 'skipped' } as const) : step,
  )
  return { ...rest, steps }
}

function withStep(
  state: SagaState,
  index: number,
  change: (step: StepState) => StepState,
): SagaState {
  return { ...state, steps: state.steps.map((step, i) => (i === index ? change(step) : step)) }
}
