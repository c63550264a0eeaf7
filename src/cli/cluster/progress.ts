/**
 * Says on the error stream, once a second, that something still goes on; what is fast says nothing.
 */
import { statSync } from 'node:fs'
import process from 'node:process'

const everyMs = 1_000

export async function progress<Result>(
  what: string,
  work: () => Promise<Result>,
  soFar: () => string = () => '',
): Promise<Result> {
  let seconds = 0
  const timer = setInterval(() => {
    seconds += everyMs / 1_000
    const detail = soFar()
    process.stderr.write(`${what}: ${seconds} s${detail === '' ? '' : `, ${detail}`}\n`)
  }, everyMs)
  try {
    return await work()
  } finally {
    clearInterval(timer)
  }
}

/** 0 if there is no such file. */
export function fileSize(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}
