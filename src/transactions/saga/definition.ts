/**
 * A saga as its author writes it: steps in order, each with a way back, up to the *pivot*, the step that
 * decides. Before the pivot everything can be undone; after it there is only forward. The order is checked
 * here, when the program starts, and not when the money has already moved.
 *
 * After H. Garcia-Molina and K. Salem, *Sagas* (1987); the names of the three kinds of step are from
 * C. Richardson, *Microservices Patterns*, chapter 4.
 */
import { InvalidArgumentError } from '../../errors.ts'
import { requireInteger, requireText } from '../../ports/arguments.ts'
import type { Schema } from '../../ports/schema.ts'
import type { SagaRefusal } from './refusal.ts'

/**
 * `compensatable`: can be undone, or needs no undoing. `pivot`: the point of no return; at most one.
 * `retriable`: cannot fail for reasons of business, only take long; never undone.
 */
export type StepKind = 'compensatable' | 'pivot' | 'retriable'

export interface SagaDefinition<Input, Results> extends SagaPlan {
  /** For types only. */
  readonly input?: Schema<Input>
  /** Adds a step at the end. @throws {InvalidArgumentError} it cannot come here. */
  step<Name extends string, Result>(
    name: Name,
    options: StepOptions<Input, Results, Result>,
  ): SagaDefinition<Input, Results & { readonly [K in Name]: Result }>
}

/** The definition without the types of its author: what the engine works with. */
export interface SagaPlan {
  readonly name: string
  readonly version: number
  readonly timeoutMs: number | undefined
  readonly input?: Schema<unknown>
  readonly steps: readonly PlannedStep[]
}

export interface SagaOptions<Input> {
  /** Bump it when steps are added, removed or reordered: instances end on the version they began with. */
  readonly version: number
  readonly input?: Schema<Input>
  /**
   * Turns back if the pivot has not begun this long after the start, by the wall clocks of the machines
   * involved. 1 to one year. Default: never.
   */
  readonly timeoutMs?: number
}

export interface StepOptions<Input, Results, Result> {
  /**
   * May run more than once for one saga, at worst at the same time on two machines, so it must be
   * idempotent by `context.key`. Its result is kept as JSON, at most 16_384 characters.
   */
  readonly run: (
    input: Input,
    context: StepContext<Results>,
  ) => Promise<Result | SagaRefusal> | Result | SagaRefusal
  /**
   * Undoes the step under the same key. It may be called for a step that never ran: then it must leave
   * a tombstone, so that a late original is refused. It may not refuse.
   */
  readonly compensate?: (
    input: Input,
    context: UndoContext<Results, Result>,
  ) => Promise<unknown> | unknown
  /** Default: with `compensate` compensatable; else the first such is the pivot, the rest retriable. */
  readonly kind?: StepKind
  /** How long one attempt may take; then its outcome is unknown. 1 to 86_400_000. Default 30_000. */
  readonly timeoutMs?: number
  readonly retry?: StepRetry
}

export interface StepRetry {
  /** Failures before a compensatable step is given up and undone. 1 to 1_000. Default 5. */
  readonly attemptsMax?: number
  /**
   * Failures of a compensation, a retriable step or a pivot in doubt before the saga is parked for an
   * operator. 1 to 100_000. Default 30.
   */
  readonly parkAfter?: number
  /** First pause; it doubles, with full jitter. 1 to 3_600_000. Default 100. */
  readonly baseMs?: number
  /** Longest pause. Default 30_000. */
  readonly capMs?: number
}

export interface StepContext<Results> {
  readonly id: string
  readonly saga: string
  readonly step: string
  /** The same for every attempt of this step of this saga, and for its compensation with `/undo`. */
  readonly key: string
  /** Grows with every change of executor. */
  readonly epoch: bigint
  /** 1 at first. */
  readonly attempt: number
  /** Aborts at the step's timeout, on cancellation and when the ownership is lost. */
  readonly signal: AbortSignal
  /** Results of the steps before. */
  readonly results: Results
}

export interface UndoContext<Results, Result> extends StepContext<Results> {
  /** The key under which the step ran: `key` without `/undo`. */
  readonly originalKey: string
  /** Absent if the step's outcome is unknown. */
  readonly result?: Result
}

export interface PlannedStep {
  readonly name: string
  readonly kind: StepKind
  readonly timeoutMs: number
  readonly retry: Required<StepRetry>
  readonly run: (input: unknown, context: StepContext<unknown>) => unknown
  readonly compensate:
    | ((input: unknown, context: UndoContext<unknown, unknown>) => unknown)
    | undefined
}

const stepsMax = 50
const dayMs = 86_400_000
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]*$/

/** @throws {InvalidArgumentError} */
export function saga<Input = unknown>(
  name: string,
  options: SagaOptions<Input>,
): SagaDefinition<Input, Record<never, never>> {
  requireName('saga name', name)
  requireInteger('version', options.version, 1, 1_000_000)
  const { version, timeoutMs, input } = options
  if (timeoutMs !== undefined) requireInteger('timeoutMs', timeoutMs, 1, 365 * dayMs)
  return extended({ name, version, timeoutMs, ...(input ? { input } : {}), steps: [] })
}

function extended<Input, Results>(plan: SagaPlan): SagaDefinition<Input, Results> {
  return {
    ...(plan as SagaPlan & { readonly input?: Schema<Input> }),
    step(name, options) {
      return extended({ ...plan, steps: [...plan.steps, planned(plan, name, options)] })
    },
  }
}

function planned<Input, Results, Result>(
  { name: sagaName, steps }: SagaPlan,
  name: string,
  options: StepOptions<Input, Results, Result>,
): PlannedStep {
  const subject = `step "${name}" of saga "${sagaName}"`
  requireName('step name', name)
  if (steps.length >= stepsMax) refuseOrder(`${subject} is one too many; at most ${stepsMax}`)
  if (steps.some((step) => step.name === name)) refuseOrder(`${subject} is there twice`)
  const kind = kindOf(subject, steps, options)
  const { timeoutMs = 30_000, retry = {} } = options
  requireInteger(`timeoutMs of ${subject}`, timeoutMs, 1, dayMs)
  return {
    name,
    kind,
    timeoutMs,
    retry: checkedRetry(subject, retry),
    run: options.run as PlannedStep['run'],
    compensate: options.compensate as PlannedStep['compensate'],
  }
}

function kindOf(
  subject: string,
  before: readonly PlannedStep[],
  { kind: wanted, compensate }: { readonly kind?: StepKind; readonly compensate?: unknown },
): StepKind {
  const pastPivot = before.some((step) => step.kind !== 'compensatable')
  const natural = pastPivot ? 'retriable' : compensate ? 'compensatable' : 'pivot'
  const kind = wanted ?? natural
  if (pastPivot && kind !== 'retriable') {
    refuseOrder(`${subject} is ${kind}, but after the pivot every step must be retriable`)
  }
  if (kind !== 'compensatable' && compensate) {
    refuseOrder(`${subject} is ${kind}, so it is never undone: leave \`compensate\` out`)
  }
  return kind
}

function checkedRetry(subject: string, retry: StepRetry): Required<StepRetry> {
  const { attemptsMax = 5, parkAfter = 30, baseMs = 100, capMs = 30_000 } = retry
  requireInteger(`attemptsMax of ${subject}`, attemptsMax, 1, 1_000)
  requireInteger(`parkAfter of ${subject}`, parkAfter, 1, 100_000)
  requireInteger(`baseMs of ${subject}`, baseMs, 1, 3_600_000)
  requireInteger(`capMs of ${subject}`, capMs, baseMs, dayMs)
  return { attemptsMax, parkAfter, baseMs, capMs }
}

function requireName(subject: string, name: string): void {
  requireText(subject, name, 100)
  if (!namePattern.test(name)) {
    refuseOrder(`${subject} is "${name}"; expected letters, digits, ".", "_" and "-"`)
  }
}

function refuseOrder(message: string): never {
  throw new InvalidArgumentError(message)
}
