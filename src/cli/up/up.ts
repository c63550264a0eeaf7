/**
 * `holdfast up PLAN`: brings a whole system up on this machine, keeps it up, and takes it down in good
 * order.
 */
import { existsSync, mkdirSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { ConfigurationError, InvalidArgumentError } from '../../errors.ts'
import { requireInteger } from '../../ports/arguments.ts'
import { type Front, openFront } from './front.ts'
import { checkedPlan, type DriverNames, defaultDriver, type Plan, withDrivers } from './plan.ts'
import { supervisor } from './supervisor.ts'

export const upUsage = `holdfast up PLAN [--port 8080] [--host 127.0.0.1] [--data DIR] [--instances order=2,inventory=2] [--drain-ms 20000]
                 [--leases NAME] [--registry NAME] [--records NAME]

  PLAN         a JavaScript module that exports "plan"
  --port       public port; 0 takes any free one (default 8080)
  --host       address to listen on (default 127.0.0.1: this machine only)
  --data       where the system keeps its files (default: a fresh folder)
  --instances  how many instances of a service to run
  --drain-ms   how long one may take to leave before it is killed (default 20000)
  --leases, --registry, --records
               the driver behind each, of those that the plan offers (default embedded)`

/** Longest time for all instances to become ready. */
const readyMaxMs = 60_000

export async function up(rest: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...rest],
    allowPositionals: true,
    options: {
      port: { type: 'string', default: '8080' },
      host: { type: 'string', default: '127.0.0.1' },
      data: { type: 'string' },
      instances: { type: 'string' },
      'drain-ms': { type: 'string', default: '20000' },
      leases: { type: 'string', default: defaultDriver },
      registry: { type: 'string', default: defaultDriver },
      records: { type: 'string', default: defaultDriver },
    },
  })
  const [file] = positionals
  if (file === undefined) throw new InvalidArgumentError(`no plan was named\n\n${upUsage}`)
  const port = Number(values.port)
  requireInteger('--port', port, 0, 65_535)
  const drainMaxMs = Number(values['drain-ms'])
  requireInteger('--drain-ms', drainMaxMs, 0, 600_000)

  const path = resolve(file)
  const { leases, registry, records } = values
  const drivers: DriverNames = { leases, registry, records }
  const plan = checkedPlan(withDrivers(await loadPlan(path), drivers), values.instances)
  requireEntries(plan, dirname(path))
  const dataFolder = dataFolderOf(values.data)
  const log = (line: string): void => void process.stdout.write(`${line}\n`)
  log(`${plan.name}: data in ${dataFolder}`)
  const running = supervisor({ plan, drivers, dataFolder, baseFolder: dirname(path), log })

  let front: Front | undefined
  let leaving: Promise<void> | undefined
  const leave = (code: number): Promise<void> => {
    leaving ??= (async () => {
      log('stopping: draining every service')
      const hammer = setTimeout(() => process.exit(1), drainMaxMs * (plan.services.length + 1))
      hammer.unref()
      await running.stop(drainMaxMs)
      await front?.close()
      process.exit(code)
    })()
    return leaving
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void leave(0))

  // The port first: if it is taken, nothing has been started.
  front = await openFront(running, plan, { host: values.host, port })
  try {
    if (leaving === undefined) running.start()
    await running.whenReady(readyMaxMs)
    if (leaving === undefined) log(`${plan.name} is ready: http://${front.address}/`)
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    process.stderr.write(`holdfast: ${message}\n`)
    await leave(1)
  }
}

async function loadPlan(path: string): Promise<Plan> {
  const loaded: unknown = await import(pathToFileURL(path).href).catch((cause: unknown) => {
    throw new ConfigurationError(`cannot load the plan ${path}: ${String(cause)}`, { cause })
  })
  if (typeof loaded === 'object' && loaded !== null && 'plan' in loaded) return loaded.plan as Plan
  throw new ConfigurationError(`${path} does not export "plan"`)
}

function requireEntries(plan: Plan, baseFolder: string): void {
  for (const { name, entry } of plan.services) {
    if (existsSync(join(baseFolder, entry))) continue
    throw new ConfigurationError(`the entry of service "${name}" is missing: ${entry}`)
  }
}

function dataFolderOf(asked: string | undefined): string {
  if (asked === undefined) return mkdtempSync(join(tmpdir(), 'holdfast-'))
  const folder = resolve(asked)
  try {
    mkdirSync(folder, { recursive: true })
  } catch (cause) {
    throw new ConfigurationError(`--data ${folder} cannot be used: ${String(cause)}`, { cause })
  }
  return folder
}
