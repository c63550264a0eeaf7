/**
 * What a judge of isolation reads: which transactions were tried, what each of them did, in order, and
 * what it was told.
 *
 * A transaction that failed did not happen. One whose end nobody saw may have happened or not: its
 * writes count once somebody has read them, and what it read counts for nothing.
 */

/** A name or a value. Compared exactly: `1`, `1n` and `'1'` are three values. */
export type Scalar = string | number | bigint | boolean

/** Adds one element to the end of a list. */
export interface AppendStep {
  readonly kind: 'append'
  readonly key: Scalar
  readonly value: Scalar
}

/** Replaces the value of a register. */
export interface WriteStep {
  readonly kind: 'write'
  readonly key: Scalar
  readonly value: Scalar
}

/** Reads a whole list. `null` is the list nobody has appended to. */
export interface ReadListStep {
  readonly kind: 'read'
  readonly key: Scalar
  readonly value: readonly Scalar[] | null
}

/** Reads a register. `null` is the register nobody has written. */
export interface ReadRegisterStep {
  readonly kind: 'read'
  readonly key: Scalar
  readonly value: Scalar | null
}

export type ListStep = AppendStep | ReadListStep
export type RegisterStep = WriteStep | ReadRegisterStep

/**
 *   committed  the client was told that it happened
 *   aborted    the client was told that it did not happen
 *   unknown    the client was told nothing, or that nobody knows
 */
export type TransactionStatus = 'committed' | 'aborted' | 'unknown'

export interface Transaction<Step = ListStep | RegisterStep> {
  /** A client that does one thing at a time. */
  readonly process: number | string
  readonly status: TransactionStatus
  /** In program order. */
  readonly steps: readonly Step[]
  /** Any clock that all processes share, or the position in the recorded log. */
  readonly calledAt: number
  /** Not before `calledAt`. `Infinity` while open: it may take effect at any later time, or never. */
  readonly returnedAt: number
}

export type ListTransaction = Transaction<ListStep>
export type RegisterTransaction = Transaction<RegisterStep>
