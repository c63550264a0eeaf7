export type {
  IsolationOptions,
  IsolationProblem,
  IsolationReport,
  IsolationVerdict,
} from './check.ts'
export { checkIsolation } from './check.ts'
export type { Anomaly, CycleEdge } from './findings.ts'
export { transactionsOf } from './format.ts'
export type { TransactionSteps } from './judge.ts'
export { isolated } from './judge.ts'
export type { AnomalyName, CycleClass, CycleName, IsolationLevel } from './levels.ts'
export { anomalyNames, isolationLevels, levelsBrokenBy } from './levels.ts'
export type { RegisterAssumptions } from './register-index.ts'
export type {
  AppendStep,
  ListStep,
  ListTransaction,
  ReadListStep,
  ReadRegisterStep,
  RegisterStep,
  RegisterTransaction,
  Scalar,
  Transaction,
  TransactionStatus,
  WriteStep,
} from './transaction.ts'
export type { IsolationModel } from './validate.ts'
export { transactionText } from './words.ts'
