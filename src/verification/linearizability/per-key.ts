/** Many objects of one kind, by key, each judged alone. */
import type { Model } from './model.ts'

export interface Keyed<Input> {
  readonly key: string
  readonly input: Input
}

/** The key takes the place of the model's own partitions: the inner model sees one key's operations. */
export function perKey<State, Input, Output>(
  model: Model<State, Input, Output>,
): Model<State, Keyed<Input>, Output> {
  const { name, initial, equal, hash, reads, overwrites, conflict, describe } = model
  return {
    name,
    initial,
    equal,
    hash,
    step: (state, { input }, output) => model.step(state, input, output),
    partition: ({ key }) => key,
    ...(reads === undefined ? {} : { reads: ({ input }, output) => reads(input, output) }),
    ...(overwrites === undefined ? {} : { overwrites: ({ input }) => overwrites(input) }),
    ...(conflict === undefined
      ? {}
      : {
          conflict: (operations) =>
            conflict(operations.map((one) => ({ ...one, input: one.input.input }))),
        }),
    ...(describe === undefined
      ? {}
      : {
          describe: ({ key, input }, output) =>
            key === '' ? describe(input, output) : `${key}: ${describe(input, output)}`,
        }),
  }
}
