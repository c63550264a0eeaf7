/**
 * What is known about one saga, as it is stored: which way it goes, how far each step is, and what is in
 * doubt. It is also the history that people see, so each step keeps its times and its last error.
 */

export interface SagaState {
  /** Format of this document. */
  readonly format: 1
  readonly saga: string
  readonly version: number
  readonly input: unknown
  /** Wall time of the process that opened it. */
  readonly startedAtMs: number
  readonly direction: 'forward' | 'back'
  /** Why it turned back; there exactly when `direction` is `back`. */
  readonly cause?: TurnCause
  readonly steps: readonly StepState[]
  /** There while only an operator can move it. */
  readonly parked?: Parked
}

export interface StepState {
  readonly name: string
  readonly status: StepStatus
  /** Attempts begun, crashed ones included; never reset. */
  readonly attempts: number
  /** Attempts that ended in failure, since the last success or operator's retry. */
  readonly failures: number
  /** Times the executor was lost while the step ran, since then. */
  readonly crashes: number
  /** May an attempt have taken effect, or yet take effect, without our knowing? Never unset. */
  readonly doubt: boolean
  readonly startedAtMs?: number
  readonly endedAtMs?: number
  readonly undoAttempts: number
  readonly undoStartedAtMs?: number
  readonly undoEndedAtMs?: number
  readonly result?: unknown
  /** The last failure. */
  readonly error?: StepError
}

/**
 * `failed` is final for the way forward; it is undone only if in doubt. `skipped`: an operator vouched
 * for it.
 */
export type StepStatus =
  | 'waiting'
  | 'running'
  | 'done'
  | 'failed'
  | 'undoing'
  | 'undone'
  | 'skipped'

export interface StepError {
  readonly code: string
  readonly message: string
  readonly outcome: 'not-applied' | 'unknown' | 'invalid'
}

export type TurnCause =
  | { readonly kind: 'refused'; readonly step: string; readonly reason: string }
  | { readonly kind: 'failed'; readonly step: string; readonly error: StepError }
  | { readonly kind: 'cancelled'; readonly reason: string }
  | { readonly kind: 'timeout'; readonly afterMs: number }

export interface Parked {
  readonly step: string
  readonly direction: 'forward' | 'back'
  readonly reason: string
  readonly sinceMs: number
}

/** The tombstone. */
export interface SagaEnd {
  readonly format: 1
  readonly outcome: StoredOutcome
  readonly saga: string
  /** Absent if it was cancelled before it was ever started. */
  readonly state?: SagaState
  readonly endedAtMs: number
}

export type StoredOutcome =
  | { readonly status: 'completed' }
  | { readonly status: 'compensated'; readonly cause: TurnCause }
  /** Cancelled before it was started: a later start does nothing. */
  | { readonly status: 'cancelled'; readonly reason: string }
  /** Ended by an operator; what is undone or missing is his to know. */
  | { readonly status: 'forced'; readonly reason: string }

/** The last `messageMax` characters are where messages rarely say more. */
const messageMax = 500

export function stepError(
  error: unknown,
  outcome: 'not-applied' | 'unknown' | 'invalid',
): StepError {
  const message = error instanceof Error ? error.message : String(error)
  const code = (error as { readonly code?: unknown } | null | undefined)?.code
  return {
    code: typeof code === 'string' ? code.slice(0, 100) : 'error',
    message: message.slice(0, messageMax).toWellFormed(),
    outcome,
  }
}

const withResult: readonly StepStatus[] = ['done', 'undoing', 'undone', 'skipped']

export function results(state: SagaState): Record<string, unknown> {
  const done = state.steps.filter(({ status }) => withResult.includes(status))
  return Object.fromEntries(done.map(({ name, result }) => [name, result ?? null]))
}
