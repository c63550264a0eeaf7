/**
 * Real processes for the live tests to start, read, stop and kill.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** The program that most of them run; its first argument says what it does. */
export const program: string = fileURLToPath(new URL('sql-engine.live-child.mjs', import.meta.url))

const living = new Set<ChildProcess>()

/** Kills those that a test left behind. */
export function killChildren(): void {
  for (const child of living) child.kill('SIGKILL')
}

export interface Running {
  readonly child: ChildProcess
  readonly pid: number
  readonly lines: string[]
  readonly errors: readonly string[]
  /** The next line that matches, also one that has come before. */
  line(pattern: RegExp): Promise<string>
  readonly exited: Promise<number | string>
}

export function start(
  args: readonly string[],
  command: readonly string[] = [process.execPath, program],
  uid?: number,
): Running {
  const [file = '', ...rest] = command
  const child = spawn(file, [...rest, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(uid === undefined ? {} : { uid }),
  })
  living.add(child)
  child.once('exit', () => living.delete(child))
  const lines: string[] = []
  const errors: string[] = []
  const waiters = new Set<() => void>()
  const tell = (): void => {
    for (const waiter of [...waiters]) waiter()
  }
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line)
    tell()
  })
  child.stderr.on('data', (text) => errors.push(String(text)))
  let over = false
  const exited = new Promise<number | string>((resolve) => {
    child.on('close', (code, signal) => {
      over = true
      tell()
      resolve(code ?? signal ?? 'gone')
    })
  })
  return {
    child,
    pid: child.pid ?? 0,
    lines,
    errors,
    exited,
    line(pattern) {
      return new Promise((resolve, reject) => {
        const look = (): void => {
          const found = lines.find((line) => pattern.test(line))
          if (found === undefined && !over) return
          waiters.delete(look)
          if (found !== undefined) resolve(found)
          else reject(new Error(`ended without ${pattern}: ${errors.join('')}`))
        }
        waiters.add(look)
        look()
      })
    },
  }
}

export function passMs(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs))
}

export async function until(reached: () => boolean | Promise<boolean>): Promise<void> {
  for (let look = 0; look < 400; look++) {
    if (await reached()) return
    await passMs(50)
  }
  throw new Error(`not reached in 20 s: ${reached}`)
}

/** A generator whose seed can be printed: mulberry32. */
export function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
