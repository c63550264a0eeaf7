/**
 * A saga as the front door offers it: written step by step where it is used, registered when the node
 * starts, and run by its id.
 */
import { ConfigurationError } from '../errors.ts'
import type {
  RunOptions,
  SagaDefinition,
  SagaEngine,
  SagaHandle,
  SagaOutcome,
  StepOptions,
} from '../transactions/index.ts'

export interface BoundSaga<Input, Results> {
  /** Adds a step at the end. Returns the saga with the step: go on with what is returned. */
  step<Name extends string, Result>(
    name: Name,
    options: StepOptions<Input, Results, Result>,
  ): BoundSaga<Input, Results & { readonly [K in Name]: Result }>
  /** Begins or joins the saga with this id and waits for its end. After `node.start()`. */
  run(input: Input, options?: RunOptions): Promise<SagaOutcome<Results>>
  /** The same without the wait: once it returns, the saga will end. */
  begin(input: Input, options?: RunOptions): Promise<{ readonly id: string }>
  /** Waits for the end of a saga that may run anywhere. */
  wait(id: string, signal?: AbortSignal): Promise<SagaOutcome<Results>>
  result(id: string): Promise<SagaOutcome<Results> | undefined>
}

/** Registers what was written, as it stands when the node starts. */
export interface SagaSlot {
  register(engine: SagaEngine): void
}

export function boundSaga<Input>(first: SagaDefinition<Input, Record<never, never>>): {
  readonly saga: BoundSaga<Input, Record<never, never>>
  readonly slot: SagaSlot
} {
  let latest: SagaDefinition<Input, never> = first
  let handle: SagaHandle<Input, unknown> | undefined

  function registered(): SagaHandle<Input, unknown> {
    if (handle !== undefined) return handle
    throw new ConfigurationError(`saga "${first.name}" is not running yet: call node.start() first`)
  }

  function bound<Results>(definition: SagaDefinition<Input, Results>): BoundSaga<Input, Results> {
    return {
      step(name, options) {
        if (handle !== undefined) {
          throw new ConfigurationError(`saga "${first.name}" cannot grow after node.start()`)
        }
        const longer = definition.step(name, options)
        latest = longer
        return bound(longer)
      },
      run: async (input, options) =>
        registered().run(input, options) as Promise<SagaOutcome<Results>>,
      begin: async (input, options) => registered().begin(input, options),
      wait: async (id, signal) => registered().wait(id, signal) as Promise<SagaOutcome<Results>>,
      result: async (id) => registered().result(id) as Promise<SagaOutcome<Results> | undefined>,
    }
  }

  return {
    saga: bound(first),
    slot: {
      register(engine) {
        handle = engine.register(latest)
      },
    },
  }
}
