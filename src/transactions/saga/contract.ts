/**
 * The engine's promises. Picture a clerk with a folder per order: he writes down what he is about to do,
 * does it, writes down how it went. If he drops, another takes the folder up at the last line. The folder
 * tells the first clerk, should he come back, that it is no longer his.
 */
import type { Observer } from '../../observability/observer.ts'
import type { SagaDefinition } from './definition.ts'
import type { Parked, StepState, StoredOutcome, TurnCause } from './state.ts'

/**
 * Guaranteed: a saga whose `begin` returned ends, or is parked and announced; each step's intent is
 * durable before it is called and its ending before the next call; when it turns back, every step that
 * took effect or may have is undone in reverse; one outcome per id while it is retained; at most one
 * executor's writes are accepted.
 * Not guaranteed: isolation (others see the steps one by one; see the README), nor that a step runs once:
 * it must be idempotent by its key and refuse it after its compensation, as `participant` does.
 */
export interface SagaEngine extends AsyncDisposable {
  /**
   * Makes a definition known; several versions of one name may stand side by side. New instances begin
   * on the highest. An instance whose version is not registered here is left to other processes.
   */
  register<Input, Results>(definition: SagaDefinition<Input, Results>): SagaHandle<Input, Results>
  /** Begins to take up instances, those of dead processes too. */
  start(): void
  /** An instance with its steps, open or ended, or `undefined` if nothing is known (any more). */
  inspect(name: string, id: string): Promise<SagaView | undefined>
  /** Instances in order of name and id, after `after` (a `cursor`). `limit` 1 to 1_000. */
  list(page: { readonly after?: string; readonly limit: number }): Promise<readonly SagaView[]>
  /** Turns the saga back, unless the pivot has begun. An id never seen is ended before it starts. */
  cancel(name: string, id: string, reason: string): Promise<OperatorAnswer>
  /** Lets a parked saga try again. */
  retry(name: string, id: string): Promise<OperatorAnswer>
  /** Lets a parked saga go on as if the step it is parked at were settled. */
  skip(name: string, id: string, step: string): Promise<OperatorAnswer>
  /** Ends a parked saga as it is. What is undone or missing is the operator's to put right. */
  force(name: string, id: string, reason: string): Promise<OperatorAnswer>
  /** Takes no more, and hands running sagas over at their next step. */
  drain(): Promise<void>
  /** Drains, but cuts running steps short: another executor repeats them under the same keys. */
  close(): Promise<void>
}

/**
 * `asked`: recorded; the executor acts on it, or finds it too late. `done`: it is so.
 * `not-parked`: refused, it is not parked (at that step). `full`: too many requests wait.
 */
export type OperatorAnswer = 'asked' | 'done' | 'not-parked' | 'ended' | 'absent' | 'full'

export interface SagaHandle<Input, Results> {
  readonly name: string
  readonly version: number
  /**
   * Begins the saga or joins the one with this id, and waits for its end. Aborting ends the wait only.
   * @throws {KeyReusedError} the id was used with other input.
   */
  run(input: Input, options?: RunOptions): Promise<SagaOutcome<Results>>
  /** The same without the wait: once it returns, the saga will end. */
  begin(input: Input, options?: RunOptions): Promise<{ readonly id: string }>
  /** Waits for the end of a saga that may run anywhere, and for its beginning if need be. */
  wait(id: string, signal?: AbortSignal): Promise<SagaOutcome<Results>>
  /** The outcome, or `undefined` while it is open or if the id is unknown. */
  result(id: string): Promise<SagaOutcome<Results> | undefined>
  cancel(id: string, reason: string): Promise<OperatorAnswer>
}

export interface RunOptions {
  /** 1 to 200 characters. Makes it idempotent. Default: a random one, so a retry begins another. */
  readonly id?: string
  readonly signal?: AbortSignal
}

export type SagaOutcome<Results> =
  | { readonly status: 'completed'; readonly results: Results }
  | { readonly status: 'compensated'; readonly cause: TurnCause }
  | { readonly status: 'cancelled'; readonly reason: string }
  | { readonly status: 'forced'; readonly reason: string }

export interface SagaView {
  /** For `list({ after })`. */
  readonly cursor: string
  readonly name: string
  readonly id: string
  /** 0 if it was cancelled before it was started. */
  readonly version: number
  readonly status: 'forward' | 'back' | 'parked' | StoredOutcome['status']
  readonly cause?: TurnCause
  readonly parked?: Parked
  readonly steps: readonly StepState[]
  /** The executor, while there is one. */
  readonly owner?: string
  readonly epoch: string
  readonly startedAtMs?: number
  readonly endedAtMs?: number
}

export interface SagaEngineOptions {
  readonly observer?: Observer
  /** Sagas executed here at a time. 1 to 1_000. Default 16. */
  readonly concurrency?: number
  /**
   * Time without a sign of life after which another process takes over. Raising it delays recovery,
   * lowering it costs renewals and takeovers of slow processes. 100 to 3_600_000. Default 10_000.
   */
  readonly holdMs?: number
  /** How often to look for due instances when no hint came. 10 to 600_000. Default 1_000. */
  readonly pollMs?: number
  /** How long an ended saga is remembered, against late repeats. Default 7 days. */
  readonly retainMs?: number
}
