/**
 * A step that says no: sold out, card declined. It is an answer of the business, not a fault, so it is
 * never retried; the saga turns back instead.
 */
import { type ErrorOptions, HoldfastError, isHoldfastError } from '../../errors.ts'

/**
 * Nothing of this step remains, and under its key nothing will happen any more: a participant that
 * refused once must refuse the same key for ever (`participant` in `transactions` does).
 */
export class SagaRefusal extends HoldfastError {
  constructor(reason: string, options?: ErrorOptions) {
    super('saga-refused', 'not-applied', reason, options)
  }
}

/** `return refuse('sold out')` and `throw refuse('sold out')` mean the same. */
export function refuse(
  reason: string,
  details: Readonly<Record<string, unknown>> = {},
): SagaRefusal {
  return new SagaRefusal(reason, { details })
}

export function isRefusal(value: unknown): value is SagaRefusal {
  return isHoldfastError(value) && value.code === 'saga-refused'
}
