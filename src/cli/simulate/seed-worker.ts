/**
 * A thread that runs the seeds it is given, one by one, and says which one it is at: if it hangs, whoever
 * watches it knows where.
 */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import type { SimulateOptions, SimulationReport } from '../../simulation/world.ts'
import { simulate } from '../../testing/world.ts'
import { loadScenario } from './load-scenario.ts'
import type { SimulateRequest } from './request.ts'

/** From the watcher to the worker: run these, then ask for more; or end the seed you are at, and leave. */
export type SeedOrder = SeedRun | 'leave'

export interface SeedRun {
  readonly seeds: readonly { readonly index: number; readonly seed: number }[]
  /** Shrink and draw what fails: that takes seconds, so it is asked for the one that will be shown. */
  readonly explain: boolean
}

export type SeedNews =
  | { readonly kind: 'ready' }
  | { readonly kind: 'begun'; readonly index: number; readonly seed: number }
  | { readonly kind: 'ran'; readonly index: number; readonly report: SeedReport }
  | { readonly kind: 'broken'; readonly message: string; readonly isUsage: boolean }

/** A report that can travel between threads. */
export interface SeedReport extends Omit<SimulationReport, 'failures'> {
  readonly failure: SeedFailure | undefined
}

export interface SeedFailure {
  readonly seed: number
  readonly name: string
  readonly message: string
  readonly atMs: number
  /** JSON, if there is anything to replay. */
  readonly fixture: string | undefined
  readonly text: string
  /** Empty unless it was to be explained. */
  readonly html: string
}

if (parentPort !== null) await serve(parentPort, workerData as SimulateRequest)

async function serve(port: MessagePort, request: SimulateRequest): Promise<void> {
  const tell = (news: SeedNews): void => port.postMessage(news)
  let busy = false
  let leaving = false

  async function run({ seeds, explain }: SeedRun): Promise<void> {
    for (const { index, seed } of seeds) {
      if (leaving) return
      tell({ kind: 'begun', index, seed })
      const report = await simulate(optionsFor(seed, explain, request, options), scenario)
      tell({ kind: 'ran', index, report: await portable(report, explain) })
    }
  }
  function broken(error: unknown): void {
    const outcome = (error as { readonly outcome?: unknown } | null)?.outcome
    const message = error instanceof Error ? error.message : String(error)
    tell({ kind: 'broken', message, isUsage: outcome === 'invalid' })
  }

  const loaded = await loadScenario(request.target).catch(broken)
  if (loaded === undefined) return
  const { scenario, options } = loaded
  port.on('message', async (order: SeedOrder) => {
    if (order === 'leave') leaving = true
    else {
      busy = true
      await run(order).then(() => tell({ kind: 'ready' }), broken)
      busy = false
    }
    // Nothing is left to listen to, so the thread ends.
    if (leaving && !busy) port.close()
  })
  tell({ kind: 'ready' })
}

function optionsFor(
  seed: number,
  explain: boolean,
  { faults, plan, twice }: SimulateRequest,
  own: SimulateOptions,
): SimulateOptions {
  return {
    ...own,
    ...(faults === undefined ? {} : { faults }),
    ...(plan === undefined ? {} : { plan }),
    ...(twice ? { twiceEvery: 1 } : {}),
    seeds: 1,
    firstSeed: seed,
    failuresMax: 1,
    shrink: explain && plan === undefined,
  }
}

async function portable(
  { failures, ...rest }: SimulationReport,
  explain: boolean,
): Promise<SeedReport> {
  const [failure] = failures
  if (failure === undefined) return { ...rest, failure: undefined }
  const { seed, name, message, atMs, fixture, trace } = failure
  const timeline = explain ? await failure.timeline?.() : undefined
  return {
    ...rest,
    failure: {
      seed,
      name,
      message,
      atMs,
      fixture: fixture === undefined ? undefined : JSON.stringify(fixture),
      text: timeline?.text() ?? trace.slice(-40).join('\n'),
      html: timeline?.html() ?? '',
    },
  }
}
