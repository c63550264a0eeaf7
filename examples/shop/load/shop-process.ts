/**
 * The whole shop as one process tree that a trial starts, kills and starts again on the same folder.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export interface ShopProcess {
  readonly url: string
  /** The supervisor's. */
  readonly pid: number
  /** SIGKILL to the supervisor and to every service at once. */
  killAll(pids: readonly number[]): Promise<void>
  /** SIGTERM. @returns the exit code. */
  stop(): Promise<number | null>
}

export interface ShopOptions {
  readonly dataFolder: string
  readonly port: number
  readonly environment?: Readonly<Record<string, string>>
  readonly instances?: string
  /** Further flags of `holdfast up`. */
  readonly flags?: readonly string[]
  log(line: string): void
}

const readyMaxMs = 60_000

export async function startShop(options: ShopOptions): Promise<ShopProcess> {
  const { dataFolder, port, environment = {}, instances, flags: more = [], log } = options
  const cli = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url))
  const plan = fileURLToPath(new URL('../company.js', import.meta.url))
  const flags = ['--port', String(port), '--data', dataFolder, ...more]
  if (instances !== undefined) flags.push('--instances', instances)
  const child = spawn(process.execPath, [cli, 'up', plan, ...flags], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const gone = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
  const url = await addressOf(child, log)
  return {
    url,
    pid: child.pid ?? 0,
    async killAll(pids) {
      child.kill('SIGKILL')
      for (const pid of pids) {
        try {
          process.kill(pid, 'SIGKILL')
        } catch {
          // It was gone already.
        }
      }
      await gone
    },
    stop() {
      child.kill('SIGTERM')
      return gone
    },
  }
}

function addressOf(child: ChildProcess, log: (line: string) => void): Promise<string> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error('the shop did not become ready')), readyMaxMs)
    child.once('exit', (code) =>
      reject(new Error(`the shop ended with ${code} before it was ready`)),
    )
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        log(text.trimEnd())
        const [, url] = /is ready: (\S+)/.exec(text) ?? []
        if (url === undefined) return
        clearTimeout(late)
        resolve(url)
      })
    }
  })
}
