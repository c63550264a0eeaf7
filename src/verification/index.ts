export type {
  CausalFinding,
  CausalStep,
} from './checks/causal.ts'
export { checkCausal } from './checks/causal.ts'
export type { ConvergenceFinding, Replica, Updates } from './checks/convergence.ts'
export { checkConvergence } from './checks/convergence.ts'
export type { Delivered, DeliveryFinding, DeliveryOptions, Sent } from './checks/delivery.ts'
export { checkDelivery } from './checks/delivery.ts'
export type { CheckReport, Finding } from './checks/findings.ts'
export type { Added, ReadAll, SetFinding } from './checks/grow-only-set.ts'
export { checkGrowOnlySet } from './checks/grow-only-set.ts'
export type { Accepted, Granted, LeaseFinding } from './checks/lease.ts'
export { checkLease } from './checks/lease.ts'
export type { SessionFinding, SessionStep } from './checks/session.ts'
export { checkSession } from './checks/session.ts'
export type { Snapshot, SnapshotFinding, WrittenTogether } from './checks/snapshot.ts'
export { checkSnapshots } from './checks/snapshot.ts'
export type { BankFinding, BankOptions, CounterFinding } from './checks/totals.ts'
export { checkBank, checkCounter, checkUniqueIds } from './checks/totals.ts'
export type { EdnValue } from './formats/edn.ts'
export type { HistoryFormat } from './formats/history-file.ts'
export { guessFormat, historyFormats, readHistory } from './formats/history-file.ts'
export { HistoryFormatError } from './formats/history-format-error.ts'
export type { RecordedEvent, RecordedOperation } from './formats/recorded.ts'
export { paired } from './formats/recorded.ts'
export type { Meaning, TranslateOptions, Translation } from './formats/translate.ts'
export {
  casRegisterMeaning,
  counterMeaning,
  fencedLockMeaning,
  keyValueMeaning,
  multiRegisterMeaning,
  mutexMeaning,
  queueMeaning,
  registerMeaning,
  setMeaning,
  stackMeaning,
  translated,
} from './formats/translate.ts'
export type { History, Operation, Value, Verdict } from './history.ts'
export type {
  Attempt,
  HistoryJudge,
  HistoryJudgement,
  LinearizableOptions,
} from './judge.ts'
export { checked, linearizable } from './judge.ts'
export type {
  CheckOptions,
  Evidence,
  LinearizabilityReport,
  Spent,
} from './linearizability/checker.ts'
export { checkLinearizability } from './linearizability/checker.ts'
export type { CounterexampleOptions } from './linearizability/counterexample.ts'
export { counterexample } from './linearizability/counterexample.ts'
export type { Model, NondeterministicModel } from './linearizability/model.ts'
export { stateSets } from './linearizability/model.ts'
export type { Keyed } from './linearizability/per-key.ts'
export { perKey } from './linearizability/per-key.ts'
export type { CounterInput, CounterOutput } from './models/counter.ts'
export { counter } from './models/counter.ts'
export type {
  FencedLockInput,
  FencedLockOptions,
  FencedLockOutput,
  FencedLockState,
} from './models/fenced-lock.ts'
export { fencedLock } from './models/fenced-lock.ts'
export type { KeyValueInput, KeyValueOutput, KeyValueState } from './models/key-value.ts'
export { keyValue } from './models/key-value.ts'
export type {
  MultiRegisterInput,
  MultiRegisterOutput,
  MultiRegisterState,
  MultiRegisterStep,
} from './models/multi-register.ts'
export { multiRegister } from './models/multi-register.ts'
export type { MutexInput, MutexOutput } from './models/mutex.ts'
export { mutex } from './models/mutex.ts'
export type { PersistentSet, SetNode } from './models/persistent-set.ts'
export type { QueueInput, QueueOutput, QueueState } from './models/queue.ts'
export { queue } from './models/queue.ts'
export type { CasRegisterInput, RegisterInput, RegisterOutput } from './models/register.ts'
export { casRegister, register } from './models/register.ts'
export type { ElementInput, SetInput, SetOutput } from './models/set.ts'
export { set, setByElement } from './models/set.ts'
export type { StackInput, StackOutput, StackState } from './models/stack.ts'
export { stack } from './models/stack.ts'
