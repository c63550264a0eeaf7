export type { EffectKey, EffectOnce, EffectOnceOptions, EffectState } from './effect.ts'
export { effectOnce, effectOnceTables, effectTables, purgeEffects } from './effect.ts'
export type {
  Idempotency,
  IdempotencyOptions,
  IdempotentAnswer,
  IdempotentAttempt,
  IdempotentRequest,
} from './idempotency.ts'
export { idempotency } from './idempotency.ts'
export type { Applied, Participant, Undone } from './participant.ts'
export { participant } from './participant.ts'
export type {
  OperatorAnswer,
  RunOptions,
  SagaEngine,
  SagaEngineOptions,
  SagaHandle,
  SagaOutcome,
  SagaView,
} from './saga/contract.ts'
export type {
  SagaDefinition,
  SagaOptions,
  StepContext,
  StepKind,
  StepOptions,
  StepRetry,
  UndoContext,
} from './saga/definition.ts'
export { saga } from './saga/definition.ts'
export { sagaEngine } from './saga/engine.ts'
export { refuse, SagaRefusal } from './saga/refusal.ts'
export type { Parked, StepError, StepState, StepStatus, TurnCause } from './saga/state.ts'
