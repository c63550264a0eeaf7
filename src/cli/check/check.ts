/**
 * `holdfast check`: a recorded history in, one line of JSON and an exit code out, for people and for
 * continuous integration alike. 0: ok. 1: violation. 2: unknown. 3: the history or the command is wrong.
 */
import { writeFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { InvalidArgumentError } from '../../errors.ts'
import { type EdnValue, readEdn } from '../../verification/formats/edn.ts'
import {
  guessFormat,
  type HistoryFormat,
  historyFormats,
  readHistory,
} from '../../verification/formats/history-file.ts'
import { HistoryFormatError } from '../../verification/formats/history-format-error.ts'
import { type IsolationLevel, isolationLevels } from '../../verification/isolation/levels.ts'
import { drawing } from './drawing.ts'
import { textOf, withStart } from './file.ts'
import { type Judge, type Judgement, judges } from './judges.ts'

const usage = `usage: holdfast check FILE --model NAME [options]
  Judges a recorded history (- reads the standard input) and prints one line of JSON.
  Exit code 0: ok. 1: violation. 2: unknown. 3: bad input or usage.

  --model NAME          ${Object.keys(judges).slice(0, 6).join(', ')},
                        ${Object.keys(judges).slice(6).join(', ')}
  --format NAME         auto (default), ${historyFormats.join(', ')}
  --failed-cas HOW      a failed cas is: absent, it did not happen (default); observed, it saw
                        another value
  --initial VALUE       what registers, keys or the counter hold at first, as EDN: 0, "text",
                        of a multi-register also {:x 0 :y 1}; default nil, of a counter 0
  --level NAME          of transactions: the isolation level that the verdict is about; default
                        strict-serializable, down to read-uncommitted
  --timeout-ms N        unknown after so long; 1 to 86400000, default 60000
  --html OUT            also draws the history, or the part of it that is wrong`

const exitCodes = { ok: 0, violation: 1, unknown: 2 }

interface Request {
  readonly path: string
  readonly model: string
  readonly judge: Judge
  readonly format: HistoryFormat | 'auto'
  readonly failedCas: 'absent' | 'observed'
  readonly initial: EdnValue | undefined
  readonly level: IsolationLevel | undefined
  readonly timeoutMs: number
  readonly html: string | undefined
}

/** Prints the verdict. @returns the exit code. @throws {InvalidArgumentError} bad input or usage */
export function check(rest: readonly string[]): number {
  const request = requestOf(rest)
  if (request === undefined) {
    process.stdout.write(`${usage}\n`)
    return 0
  }
  const startedMs = performance.now()
  const judgement = judged(request)
  const { verdict, operations, evidence, drawn } = judgement
  const elapsedMs = Math.round(performance.now() - startedMs)
  const { path, model, html } = request
  const told = evidence === undefined ? {} : { evidence }
  process.stdout.write(`${json({ verdict, model, operations, elapsedMs, ...told })}\n`)
  if (html !== undefined) writeFileSync(html, drawing({ path, model, verdict, operations, drawn }))
  return exitCodes[verdict]
}

function judged({ path, judge, format, html, ...asked }: Request): Judgement {
  try {
    const { start, all } = withStart(textOf(path))
    const known = format === 'auto' ? guessFormat(start.slice(0, 1_000)) : format
    const unset = known === 'kv-text' ? '' : null
    const nowMs = (): number => performance.now()
    return judge(readHistory(all, known), { ...asked, nowMs, unset, drawn: html !== undefined })
  } catch (error) {
    if (error instanceof HistoryFormatError)
      throw new InvalidArgumentError(`${path}: ${error.message}`)
    if (error instanceof InvalidArgumentError) throw error
    const code = (error as { readonly code?: unknown } | null)?.code
    if (typeof code === 'string' && /^E[A-Z]+$|^ERR_ENCODING/.test(code)) {
      throw new InvalidArgumentError(`${path}: ${(error as Error).message}`)
    }
    // No verdict was reached, and 1 would be read as one.
    const words = error instanceof Error ? error.message : String(error)
    return { verdict: 'unknown', operations: 0, evidence: { error: words } }
  }
}

/** `undefined`: only help was asked for. */
function requestOf(rest: readonly string[]): Request | undefined {
  const { values, positionals } = parseArgs({
    args: [...rest],
    allowPositionals: true,
    options: {
      model: { type: 'string' },
      format: { type: 'string', default: 'auto' },
      'failed-cas': { type: 'string', default: 'absent' },
      initial: { type: 'string' },
      level: { type: 'string' },
      'timeout-ms': { type: 'string', default: '60000' },
      html: { type: 'string' },
      help: { type: 'boolean' },
    },
  })
  if (values.help === true) return undefined
  const [path, ...more] = positionals
  if (path === undefined || more.length > 0) throw new InvalidArgumentError(usage)
  const model = values.model ?? ''
  const judge = Object.hasOwn(judges, model) ? judges[model] : undefined
  if (judge === undefined) {
    throw new InvalidArgumentError(`--model is one of ${Object.keys(judges).join(', ')}`)
  }
  const formats: readonly string[] = ['auto', ...historyFormats]
  if (!formats.includes(values.format)) {
    throw new InvalidArgumentError(`--format is one of ${formats.join(', ')}`)
  }
  const failedCas = values['failed-cas']
  if (failedCas !== 'absent' && failedCas !== 'observed') {
    throw new InvalidArgumentError('--failed-cas is absent or observed')
  }
  const timeoutMs = Number(values['timeout-ms'])
  if (!Number.isInteger(timeoutMs) || timeoutMs < 1 || timeoutMs > 86_400_000) {
    throw new InvalidArgumentError('--timeout-ms is a whole number from 1 to 86400000')
  }
  const level = values.level as IsolationLevel | undefined
  if (level !== undefined && !isolationLevels.includes(level)) {
    throw new InvalidArgumentError(`--level is one of ${isolationLevels.join(', ')}`)
  }
  const format = values.format as HistoryFormat | 'auto'
  const initial = initialOf(values.initial)
  return { path, model, judge, format, failedCas, initial, level, timeoutMs, html: values.html }
}

function initialOf(text: string | undefined): EdnValue | undefined {
  if (text === undefined) return undefined
  if (text.trim() === 'null') return null
  try {
    // In a vector of its own, so that a vector is not taken for a list of values.
    const values = Array.from(readEdn(['[', text, ']']), ({ value }) => value)
    if (values.length === 1) return values[0] ?? null
  } catch (error) {
    if (!(error instanceof HistoryFormatError)) throw error
  }
  throw new InvalidArgumentError('--initial is one value: nil, 0, "text", …')
}

function json(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner === 'bigint') return String(inner)
    if (inner instanceof Map) return Object.fromEntries(inner)
    return inner
  })
}
