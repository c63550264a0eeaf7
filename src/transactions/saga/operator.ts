/**
 * What people may do to a saga from outside. Nothing here touches the steps: a request is left in the
 * record, and whoever owns the saga acts on it, so there is still one writer.
 */

import type { Decisions } from '../../kernels/decision-contract.ts'
import { requireText } from '../../ports/arguments.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import type { OperatorAnswer, SagaEngine } from './contract.ts'
import type { SagaOwnership, SagaRequest } from './executor.ts'
import type { Parked, SagaEnd, SagaState } from './state.ts'
import { keyOf } from './view.ts'

type Answer = Promise<OperatorAnswer>

export type Operator = Pick<SagaEngine, 'cancel' | 'retry' | 'skip' | 'force'>

export function operator(
  runtime: Runtime,
  instances: Decisions<SagaState, SagaEnd>,
  runningHere: (key: string) => SagaOwnership | undefined,
): Operator {
  async function ask(key: string, requestId: string, body: SagaRequest): Answer {
    const answer = await instances.request(key, { id: requestId, body })
    if (answer === 'decided') return 'ended'
    if (answer !== 'stored') return answer
    // The owner sees it at his next write; if he is here, let that be now.
    await runningHere(key)
      ?.extend()
      .catch(() => {})
    return 'asked'
  }

  async function ifParked(key: string, act: (state: SagaState, parked: Parked) => Answer) {
    const found = await instances.read(key)
    if (found === undefined) return 'absent'
    if (found.status === 'decided') return 'ended'
    const { state } = found
    return state.parked ? act(state, state.parked) : 'not-parked'
  }

  return {
    async cancel(name, id, reason) {
      requireText('reason', reason, 500)
      const key = keyOf(name, id)
      const outcome = { status: 'cancelled', reason } as const
      for (;;) {
        const asked = await ask(key, 'cancel', { kind: 'cancel', reason })
        if (asked !== 'absent') return asked
        const end: SagaEnd = { format: 1, outcome, saga: name, endedAtMs: runtime.clock.wallMs() }
        // Only if it is still unseen: one that has begun must be turned back and not cut off.
        const early = await instances.decideIf(key, end, (instance) => instance === undefined)
        if (early) return early.won ? 'done' : 'ended'
      }
    },
    retry(name, id) {
      const key = keyOf(name, id)
      const requestId = runtime.random.id('saga-request')
      return ifParked(key, () => ask(key, requestId, { kind: 'retry' }))
    },
    skip(name, id, step) {
      const key = keyOf(name, id)
      return ifParked(key, async (_, parked) => {
        if (parked.step !== step) return 'not-parked'
        return ask(key, `skip/${step}`, { kind: 'skip', step })
      })
    },
    force(name, id, reason) {
      requireText('reason', reason, 500)
      const key = keyOf(name, id)
      const outcome = { status: 'forced', reason } as const
      return ifParked(key, async (state) => {
        const endedAtMs = runtime.clock.wallMs()
        const end: SagaEnd = { format: 1, outcome, saga: name, state, endedAtMs }
        const forced = await instances.decideIf(
          key,
          end,
          (instance) => instance?.status === 'open' && instance.state.parked !== undefined,
        )
        if (forced === undefined) return 'not-parked'
        return forced.won ? 'done' : 'ended'
      })
    },
  }
}
