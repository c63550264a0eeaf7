/**
 * A million operations through `holdfast check`, as text, in a heap of 512 MB: registers, queues, stacks, and ten
 * thousand transactions. Seconds are of processor time, which a busy machine does not stretch; reading included.
 *
 *     node bench/check.mjs [--operations 1000000]
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values: args } = parseArgs({
  options: { operations: { type: 'string', default: '1000000' } },
})
const many = Number(args.operations)
const command = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))

/** Rounds of eight clients that all overlap; each round asks and answers for itself. */
function* rounds(operations, ask) {
  for (let round = 0; round * 8 < operations; round++) {
    const calls = Array.from({ length: 8 }, (_, process) => ask(round, process))
    for (const [process, { f, key, asked }] of calls.entries()) {
      yield { process, type: 'invoke', f, key, value: asked }
    }
    for (const [process, { f, key, seen }] of calls.entries()) {
      yield { process, type: 'ok', f, key, value: seen }
    }
  }
}

/** One writes; the others see what was before, or already what it writes. */
const register = (keys) => (round, process) => {
  const key = keys === 1 ? undefined : round % keys
  if (process === 0) return { f: 'write', key, asked: round, seen: round }
  const before = round < keys ? null : round - keys
  return { f: 'read', key, asked: null, seen: process % 2 === 0 ? before : round }
}

/** A hundred thousand go in before the first comes out, so that the container is long. */
const ahead = 12_500
const queue = (round, process) =>
  Math.floor(round / ahead) % 2 === 0
    ? { f: 'enqueue', asked: round * 8 + process, seen: null }
    : { f: 'dequeue', asked: null, seen: (round - ahead) * 8 + ((process + 3) % 8) }
const stack = (round, process) => {
  const from = Math.floor(round / ahead) * ahead
  return Math.floor(round / ahead) % 2 === 0
    ? { f: 'push', asked: round * 8 + process, seen: null }
    : { f: 'pop', asked: null, seen: (2 * from - 1 - round) * 8 + ((process + 3) % 8) }
}

/** Two keys of a hundred; each appends to one and reads the other. */
function transactions() {
  const lists = new Map()
  return (round, process) => {
    const [to, from] = [`k${(round * 8 + process) % 100}`, `k${(round * 8 + process + 50) % 100}`]
    const epoch = Math.floor(round / 100)
    const [into, outOf] = [`${epoch}.${to}`, `${epoch}.${from}`]
    const value = round * 8 + process
    const read = [...(lists.get(outOf) ?? [])]
    lists.set(into, [...(lists.get(into) ?? []), value])
    return {
      f: 'txn',
      asked: [
        ['r', outOf, null],
        ['append', into, value],
      ],
      seen: [
        ['r', outOf, read],
        ['append', into, value],
      ],
    }
  }
}

async function recorded(name, events) {
  const path = join(folder, name)
  const file = createWriteStream(path)
  let text = ''
  for (const event of events) {
    text += `${JSON.stringify(event)}\n`
    if (text.length < 1 << 20) continue
    if (!file.write(text)) await once(file, 'drain')
    text = ''
  }
  file.end(text)
  await once(file, 'finish')
  return path
}

/** The most the process held, and the processor time it took, as the kernel counts them at its end. */
function watched(path, model) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [
      '--max-old-space-size=512',
      command,
      ...['check', path, '--model', model, '--format', 'jsonl', '--timeout-ms', '600000'],
    ])
    let line = ''
    let [peakKb, ticks] = [0, 0]
    const look = () => {
      const status = `/proc/${child.pid}/status`
      if (!existsSync(status)) return
      try {
        peakKb = Number(/VmHWM:\s+(\d+)/.exec(readFileSync(status, 'utf8'))?.[1] ?? peakKb)
        const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ')
        ticks = Number(fields?.[11]) + Number(fields?.[12])
      } catch {
        // It ended while we looked.
      }
    }
    const timer = setInterval(look, 50)
    child.stdout.setEncoding('utf8').on('data', (text) => {
      line += text
    })
    child.stderr.pipe(process.stderr)
    child.once('close', (code) => {
      clearInterval(timer)
      resolve({ code, line, megabytes: peakKb / 1_024, seconds: ticks / 100 })
    })
  })
}

const cases = [
  ['one register', 'register', many, register(1)],
  ['1,000 registers', 'register', many, register(1_000)],
  ['one queue', 'queue', many, queue],
  ['one stack', 'stack', many, stack],
  ['list-append', 'list-append', 10_000, transactions()],
]
try {
  console.log('history             operations  verdict    processor s   peak MB')
  for (const [name, model, operations, ask] of cases) {
    const path = await recorded('history.jsonl', rounds(operations, ask))
    const { code, line, megabytes, seconds } = await watched(path, model)
    const { verdict, operations: judged } = line === '' ? {} : JSON.parse(line)
    if (code !== 0) process.exitCode = 1
    console.log(
      name.padEnd(18),
      String(judged).padStart(11),
      ` ${String(verdict).padEnd(10)}`,
      seconds.toFixed(1).padStart(10),
      megabytes.toFixed(0).padStart(9),
    )
  }
} finally {
  rmSync(folder, { recursive: true })
}
