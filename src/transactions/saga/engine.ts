/**
 * The saga engine: definitions on one side, stored instances on the other, and hands in between that
 * execute what this process is able to. See `contract.ts` for what it promises.
 */
import { ClosedError, InvalidArgumentError, KeyReusedError } from '../../errors.ts'
import { decisions } from '../../kernels/decision.ts'
import type { Instance, Opened } from '../../kernels/decision-contract.ts'
import { silentObserver } from '../../observability/observer.ts'
import { requireInteger, requireText } from '../../ports/arguments.ts'
import type { RecordStore } from '../../ports/record-store.ts'
import { parseWith } from '../../ports/schema.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { canonicalJson } from '../canonical.ts'
import type {
  RunOptions,
  SagaEngine,
  SagaEngineOptions,
  SagaHandle,
  SagaOutcome,
  SagaView,
} from './contract.ts'
import { begin } from './course.ts'
import type { SagaDefinition, SagaPlan } from './definition.ts'
import { definitions } from './definitions.ts'
import { endings } from './endings.ts'
import type { SagaOwnership } from './executor.ts'
import { hands } from './hands.ts'
import { operator } from './operator.ts'
import { type Recovery, recovery } from './recovery.ts'
import type { SagaEnd, SagaState } from './state.ts'
import { endedView, keyOf, outcomeOfEnd, runningView, viewOf } from './view.ts'

const inputLengthMax = 262_144
const snapshotMax = 100
/** Ended sagas kept in memory, for the console. */
const recentMax = 50
const space = 'saga'

export function sagaEngine(
  runtime: Runtime,
  records: RecordStore,
  options: SagaEngineOptions = {},
): SagaEngine {
  const { observer = silentObserver, concurrency = 16, holdMs = 10_000, pollMs = 1_000 } = options
  requireInteger('concurrency', concurrency, 1, 1_000)
  requireInteger('holdMs', holdMs, 100, 3_600_000)
  requireInteger('pollMs', pollMs, 10, 600_000)
  const { retainMs } = options
  const kept = retainMs === undefined ? {} : { retainMs }
  const instances = decisions<SagaState, SagaEnd>(runtime, records, { space, ...kept })
  const known = definitions(observer)
  const waits = endings(runtime, instances, pollMs)
  const recent: SagaView[] = []
  let closed = false
  const { machine, process, incarnation } = runtime.identity
  const owner = `${machine}/${process}/${incarnation}`.slice(-200)
  const claim = { owner, holdMs }
  let scout: Recovery | undefined

  const crew = hands({
    runtime,
    observer,
    concurrency,
    holdMs,
    began: ({ id }) => waits.here(id),
    stopped(own, stop) {
      if (stop?.kind === 'ended') {
        waits.ended(own.id, stop.end)
        recent.push(endedView(own.id, own.epoch, stop.end))
      }
      if (stop?.kind === 'parked') recent.push(runningView(own))
      if (recent.length > recentMax) recent.shift()
      waits.left(own.id)
      scout?.wake()
    },
  })

  function launch(own: SagaOwnership): void {
    const plan = known.planOf(own.state)
    if (plan) crew.execute(plan, own) // else its hold runs out, and somebody who knows it takes over
  }

  function joined(id: string, input: string, found: Instance<SagaState, SagaEnd>): void {
    const state = found.status === 'open' ? found.state : found.outcome.state
    if (state === undefined) return // cancelled before it was started, whatever the input
    if (canonicalJson('stored input', state.input, inputLengthMax) === input) return
    throw new KeyReusedError(`saga "${state.saga}" with id "${id}" was begun with other input`, {
      details: { saga: state.saga, id },
    })
  }

  async function open(name: string, input: unknown, { id: given }: RunOptions): Promise<string> {
    if (closed) throw new ClosedError('the saga engine is closed')
    const plan = known.newest(name)
    const id = given ?? runtime.random.id('saga-id')
    requireText('id', id, 200)
    const text = canonicalJson(`input of saga "${name}"`, input, inputLengthMax)
    await parseWith(plan.input, input, `input of saga "${name}"`)
    const state = begin(plan, JSON.parse(text), runtime.clock.wallMs())
    const key = keyOf(name, id)
    const opened = await opening(key, state)
    if (opened.status === 'found') {
      joined(id, text, opened.instance)
      return id
    }
    observer.event('sagaBegun', { saga: name, id, version: plan.version })
    if (opened.ownership === undefined) scout?.wake()
    return id
  }

  async function opening(key: string, state: SagaState): Promise<Opened<SagaState, SagaEnd>> {
    if (scout === undefined || crew.free() === 0) return instances.open(key, state)
    return crew.promised(1, async () => {
      const opened = await instances.open(key, state, { claim })
      if (opened.status === 'created' && opened.ownership) launch(opened.ownership)
      return opened
    })
  }

  // Half the free hands, so that what is begun meanwhile need not wait for the look to end.
  async function withHands(look: (count: number) => Promise<void>): Promise<void> {
    const count = Math.ceil(crew.free() / 2)
    if (count > 0) await crew.promised(count, () => look(count))
  }

  async function result<R>(name: string, id: string): Promise<SagaOutcome<R> | undefined> {
    const found = await instances.read(keyOf(name, id))
    return found?.status === 'decided' ? outcomeOfEnd<R>(found.outcome) : undefined
  }

  async function wait<R>(name: string, id: string, signal?: AbortSignal): Promise<SagaOutcome<R>> {
    return outcomeOfEnd<R>(await waits.wait(keyOf(name, id), signal))
  }

  const act = operator(runtime, instances, crew.ownership)

  function handle<Input, Results>(plan: SagaPlan): SagaHandle<Input, Results> {
    const { name, version } = plan
    return {
      name,
      version,
      begin: async (input, runOptions = {}) => ({ id: await open(name, input, runOptions) }),
      async run(input, runOptions = {}) {
        const id = await open(name, input, runOptions)
        return wait<Results>(name, id, runOptions.signal)
      },
      wait: (id, signal) => wait<Results>(name, id, signal),
      result: (id) => result<Results>(name, id),
      cancel: (id, reason) => act.cancel(name, id, reason),
    }
  }

  const withdraw = observer.snapshot('sagas', () => ({
    running: crew.running().slice(0, snapshotMax).map(runningView),
    unclaimable: known.unclaimable(),
    recent: [...recent].reverse(),
  }))

  async function close(): Promise<void> {
    closed = true
    const ending = crew.drain()
    scout?.stop()
    waits.close()
    withdraw()
    crew.cut(new ClosedError('the saga engine was closed'))
    await ending
  }

  return {
    register<Input, Results>(definition: SagaDefinition<Input, Results>) {
      if (definition.steps.length === 0) {
        throw new InvalidArgumentError(`saga "${definition.name}" has no steps`)
      }
      known.add(definition)
      scout?.wake()
      return handle<Input, Results>(definition)
    },
    start() {
      if (closed) throw new ClosedError('the saga engine is closed')
      scout ??= recovery<SagaState, SagaEnd>({
        runtime,
        observer,
        instances,
        owner,
        holdMs,
        pollMs,
        withHands,
        accept: (state) => known.planOf(state) !== undefined,
        found: launch,
        passedOver: known.passedOver,
      })
    },
    async inspect(name, id) {
      const found = await instances.read(keyOf(name, id))
      return found && viewOf(found)
    },
    list: async (page) => (await instances.list(page)).map(viewOf),
    ...act,
    drain: crew.drain,
    close,
    [Symbol.asyncDispose]: close,
  }
}
