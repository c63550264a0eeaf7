/**
 * The line to one child process: its messages come in, questions go out, and every question ends with
 * an answer or, if the child is dead or slow, with nothing.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import type { FromChild, Sections, ToChild } from './messages.ts'

export interface ChildLink {
  readonly pid: number | null
  kill(signal: NodeJS.Signals): boolean
  /** What the process publishes now; `undefined` if it does not answer within `timeoutMs`. */
  snapshots(timeoutMs: number): Promise<Sections | undefined>
  readonly gone: Promise<void>
}

export interface ChildOptions {
  readonly entry: string
  readonly environment: Readonly<Record<string, string>>
  log(line: string): void
  ready(httpAddress: string | undefined): void
  died(how: string): void
}

export function childLink({ entry, environment, log, ready, died }: ChildOptions): ChildLink {
  const child = spawn(process.execPath, [entry], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    serialization: 'json',
  })
  const waiting = new Map<number, (sections: Sections | undefined) => void>()
  let nextRequest = 1

  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      for (const line of text.trimEnd().split('\n')) log(line)
    })
  }
  child.on('message', (message: FromChild) => {
    if (message.type === 'ready') return ready(message.httpAddress)
    waiting.get(message.request)?.(message.sections)
  })
  const gone = new Promise<void>((resolve) => {
    const end = (how: string): void => {
      for (const answer of [...waiting.values()]) answer(undefined)
      died(how)
      resolve()
    }
    child.on('error', (error) => {
      log(error.message)
      // One that could not be started never exits.
      if (child.pid === undefined) end(error.message)
    })
    child.once('exit', (code, signal) => end(signal ?? `exit ${code}`))
  })

  return {
    pid: child.pid ?? null,
    kill: (signal) => child.kill(signal),
    gone,
    snapshots: (timeoutMs) => ask(child, waiting, nextRequest++, timeoutMs),
  }
}

function ask(
  child: ChildProcess,
  waiting: Map<number, (sections: Sections | undefined) => void>,
  request: number,
  timeoutMs: number,
): Promise<Sections | undefined> {
  if (!child.connected) return Promise.resolve(undefined)
  return new Promise((resolve) => {
    const answer = (sections: Sections | undefined): void => {
      clearTimeout(timer)
      waiting.delete(request)
      resolve(sections)
    }
    const timer = setTimeout(() => answer(undefined), timeoutMs)
    waiting.set(request, answer)
    const question: ToChild = { type: 'snapshot', request }
    child.send(question, () => {})
  })
}
