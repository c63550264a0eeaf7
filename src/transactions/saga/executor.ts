/**
 * Drives one saga while it is owned: store what is about to be done, do it, and store how it ended
 * together with what comes next. A crash between any two of these resumes at the last intent, and an
 * executor that lost the ownership is refused at its next write.
 */
import type { Ownership } from '../../kernels/decision-contract.ts'
import type { Observer } from '../../observability/observer.ts'
import { parseWith } from '../../ports/schema.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import { attempt } from './attempt.ts'
import {
  begun,
  cancelled,
  type Ending,
  type Move,
  nextMove,
  resumed,
  runEnded,
  skipped,
  undoEnded,
  unparked,
} from './course.ts'
import type { PlannedStep, SagaPlan } from './definition.ts'
import { results, type SagaEnd, type SagaState, stepError } from './state.ts'

/** Renewal ends on its own after this, should a step ignore its timeout for ever. */
const keepMs = 86_400_000

export type SagaOwnership = Ownership<SagaState, SagaEnd>

export interface Execution {
  readonly runtime: Runtime
  readonly observer: Observer
  readonly plan: SagaPlan
  /** The saga's own id, without its name. */
  readonly id: string
  /** Longer pauses give the instance back until it is due. */
  readonly pauseHereMs: number
  /** This execution's own signal: aborts when the process closes. */
  readonly closing: AbortSignal
  /** Should the instance be handed over at the next step? */
  readonly draining: () => boolean
}

/** How the execution here came to an end; the saga itself may go on. */
export type Stop =
  | { readonly kind: 'ended'; readonly end: SagaEnd }
  | { readonly kind: 'later'; readonly dueInMs: number }
  | { readonly kind: 'parked' | 'handed-over' }

type Requests = readonly { readonly id: string; readonly body: unknown }[]

/** What an outsider may ask; see `course.ts` for what each does. */
export type SagaRequest =
  | { readonly kind: 'cancel'; readonly reason: string }
  | { readonly kind: 'retry' }
  | { readonly kind: 'skip'; readonly step: string }

/** @throws {LeaseLostError} another executor has taken over. Store errors pass through. */
export async function execute(execution: Execution, own: SagaOwnership): Promise<Stop> {
  const nudge = { cancel: new AbortController() }
  const stopRenewing = own.keep(keepMs, () => {
    if (own.requests.some(isCancel)) nudge.cancel.abort(new Error('the saga was cancelled'))
  })
  try {
    return await drive(execution, own, nudge)
  } finally {
    // A store out of reach ends the execution too: then the hold must run out, for the next executor.
    stopRenewing()
  }
}

async function drive(
  execution: Execution,
  own: SagaOwnership,
  nudge: { cancel: AbortController },
): Promise<Stop> {
  const { runtime, plan, closing } = execution
  const interrupt = AbortSignal.any([closing, own.signal])
  let state = resumed(plan, own.state, runtime.clock.wallMs())
  for (;;) {
    const requests = own.requests
    const answered = requests.map(({ id }) => id)
    state = turned(
      execution,
      requests.reduce((from, { body }) => asked(plan, from, body), state),
    )
    nudge.cancel = new AbortController()
    const move = nextMove(plan, state)
    if (move.kind === 'end') return await conclude(execution, own, state, move.outcome)
    if (move.kind === 'park') {
      const isNews = own.state.parked === undefined
      await own.giveUp({ state, answered })
      if (isNews) tellParked(execution, state)
      return { kind: 'parked' }
    }
    if (execution.draining() || closing.aborted) {
      await own.giveUp({ state, answered, dueInMs: 0 })
      return { kind: 'handed-over' }
    }
    state = begun(state, move, runtime.clock.wallMs())
    await own.save(state, { answered })
    const ending = await perform(execution, own, state, move, interrupt, nudge)
    if (own.signal.aborted) throw own.signal.reason
    const nowMs = runtime.clock.wallMs()
    const cut = closing.aborted || (move.kind === 'run' && nudge.cancel.signal.aborted)
    const moved = move.kind === 'run' ? runEnded : undoEnded
    state =
      cut && ending.kind === 'failed'
        ? resumed(plan, state, nowMs)
        : moved(plan, state, move.index, ending, nowMs)
    tellEnding(execution, move, ending)
    const pauseMs = pauseAfter(execution, state, move)
    if (pauseMs > execution.pauseHereMs && own.requests.length === 0) {
      await own.giveUp({ state, dueInMs: pauseMs })
      return { kind: 'later', dueInMs: pauseMs }
    }
    if (pauseMs === 0) continue
    const waking = AbortSignal.any([interrupt, nudge.cancel.signal])
    await sleep(runtime.timers, pauseMs, { signal: waking }).catch(() => {})
  }
}

async function perform(
  { runtime, plan, id }: Execution,
  own: SagaOwnership,
  state: SagaState,
  { kind, index }: Move & { index: number },
  interrupt: AbortSignal,
  nudge: { readonly cancel: AbortController },
): Promise<Ending> {
  const step = plan.steps[index]
  const progress = state.steps[index]
  if (step === undefined || progress === undefined) throw new RangeError(`no step ${index}`)
  const originalKey = `${plan.name}/${id}/${step.name}`
  const common = {
    id,
    saga: plan.name,
    step: step.name,
    epoch: own.epoch,
    results: results(state),
  }
  const signal =
    kind === 'run' && step.kind === 'compensatable'
      ? AbortSignal.any([interrupt, nudge.cancel.signal])
      : interrupt
  let input: unknown
  try {
    input = await parseWith(plan.input, state.input, `input of saga "${plan.name}"`)
  } catch (error) {
    return { kind: 'failed', error: stepError(error, 'invalid') }
  }
  const call = callOf(step, kind, progress, input, { ...common, originalKey })
  return attempt(runtime, call, { timeoutMs: step.timeoutMs, signal })
}

interface CallFacts {
  readonly id: string
  readonly saga: string
  readonly step: string
  readonly epoch: bigint
  readonly results: Record<string, unknown>
  readonly originalKey: string
}

function callOf(
  step: PlannedStep,
  kind: Move['kind'],
  progress: SagaState['steps'][number],
  input: unknown,
  { originalKey, ...facts }: CallFacts,
): (signal: AbortSignal) => unknown {
  if (kind === 'run') {
    const context = { ...facts, key: originalKey, attempt: progress.attempts }
    return (signal) => step.run(input, { ...context, signal })
  }
  const known = 'result' in progress ? { result: progress.result } : {}
  const key = `${originalKey}/undo`
  const context = { ...facts, ...known, originalKey, key, attempt: progress.undoAttempts }
  return async (signal) => {
    await step.compensate?.(input, { ...context, signal })
  }
}

async function conclude(
  { runtime, observer, plan, id }: Execution,
  own: SagaOwnership,
  state: SagaState,
  outcome: SagaEnd['outcome'],
): Promise<Stop> {
  const endedAtMs = runtime.clock.wallMs()
  const mine: SagaEnd = { format: 1, outcome, saga: plan.name, state, endedAtMs }
  const { outcome: end, won } = await own.decide(mine)
  if (!won) return { kind: 'ended', end }
  observer.event('sagaEnded', { saga: plan.name, id, status: end.outcome.status })
  observer.count('sagasEnded', { saga: plan.name, status: end.outcome.status })
  return { kind: 'ended', end }
}

/** The saga's own timeout, by wall clocks: it spans processes. */
function turned({ runtime, plan }: Execution, state: SagaState): SagaState {
  const { timeoutMs } = plan
  const spentMs = runtime.clock.wallMs() - state.startedAtMs
  if (timeoutMs === undefined || spentMs < timeoutMs) return state
  return cancelled(plan, state, { kind: 'timeout', afterMs: timeoutMs })
}

function asked(plan: SagaPlan, state: SagaState, body: unknown): SagaState {
  const request = body as SagaRequest
  switch (request.kind) {
    case 'cancel':
      return cancelled(plan, state, { kind: 'cancelled', reason: request.reason })
    case 'retry':
      return unparked(state)
    case 'skip':
      return skipped(state, request.step)
    default:
      return state // written by a newer version: it asks for what we cannot do
  }
}

/** Full jitter under a doubling cap; none unless the step has just failed. */
function pauseAfter(
  { runtime, plan }: Execution,
  state: SagaState,
  { index }: Move & { index: number },
): number {
  const failures = state.steps[index]?.failures ?? 0
  const retry = plan.steps[index]?.retry
  const next = nextMove(plan, state)
  const sameStep = 'index' in next && next.index === index
  if (failures === 0 || retry === undefined || !sameStep) return 0
  const capMs = Math.min(retry.capMs, retry.baseMs * 2 ** Math.min(30, failures - 1))
  return Math.ceil(capMs * runtime.random.fraction('saga-backoff'))
}

function tellParked({ observer, plan, id }: Execution, { parked }: SagaState): void {
  const { step, reason, direction } = parked ?? {}
  observer.event('sagaParked', { saga: plan.name, id, step, reason, direction })
  observer.count('sagasParked', { saga: plan.name })
}

function tellEnding(
  { observer, plan, id }: Execution,
  { kind, index }: Move & { index: number },
  ending: Ending,
): void {
  if (ending.kind === 'done') return
  const step = plan.steps[index]?.name
  const reason = ending.kind === 'refused' ? ending.reason : ending.error.message
  const name = kind === 'run' ? 'sagaStepFailed' : 'sagaCompensationFailed'
  observer.event(name, { saga: plan.name, id, step, ending: ending.kind, reason })
}

function isCancel({ body }: Requests[number]): boolean {
  return (body as Partial<SagaRequest> | null)?.kind === 'cancel'
}
