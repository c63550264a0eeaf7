/**
 * The ledger: one JSON line for each section (this code, seeds from this commit) and for each stretch of
 * seeds that was run. Lines are only ever added. A line that was cut off when its writer died is dropped,
 * and its seeds are run again.
 */
import { appendFileSync, existsSync, readFileSync, truncateSync } from 'node:fs'
import { InvalidArgumentError } from '../../errors.ts'
import { addSums, emptySums, type Sums } from './total.ts'

/** What is counted below it was found with this code. */
export interface Section {
  readonly format: 1
  readonly section: {
    /** What the seeds are derived from. */
    readonly commit: string
    /** Hash of the package as it was run. */
    readonly code: string
  }
}

/** Seeds `first … first + seeds - 1` of a scenario, all of them. */
export interface Stretch extends Readonly<Sums> {
  readonly format: 1
  readonly scenario: string
  readonly commit: string
  /** Hash of the scenario's own file, if it does not come with the package. */
  readonly file?: string
  readonly first: number
  readonly elapsedMs: number
  /** The first failure; nothing is run after it. */
  readonly failure?: { readonly seed: number; readonly name: string; readonly message: string }
}

export interface ScenarioBook {
  readonly sums: Readonly<Sums>
  /** The next seed's index. */
  readonly next: number
  readonly elapsedMs: number
  readonly file: string | undefined
  readonly failure: Stretch['failure']
}

export interface Ledger {
  /** The last one, if any. */
  section(): Section['section'] | undefined
  /** Of the last section. */
  book(scenario: string): ScenarioBook
  begin(section: Section['section']): void
  add(stretch: Stretch): void
}

/** @throws {InvalidArgumentError} the file is not a ledger; the message names the line. */
export function ledgerIn(path: string): Ledger {
  let section: Section['section'] | undefined
  let books = new Map<string, ScenarioBook>()

  function take(line: Section | Stretch): void {
    if ('section' in line) {
      section = line.section
      books = new Map()
    } else books.set(line.scenario, after(books.get(line.scenario), line))
  }
  function write(line: Section | Stretch): void {
    appendFileSync(path, `${JSON.stringify(line)}\n`)
    take(line)
  }
  for (const line of linesOf(path)) take(line)
  return {
    section: () => section,
    book: (scenario) => books.get(scenario) ?? emptyBook,
    begin: (begun) => write({ format: 1, section: begun }),
    add: write,
  }
}

const emptyBook: ScenarioBook = {
  sums: emptySums(),
  next: 0,
  elapsedMs: 0,
  file: undefined,
  failure: undefined,
}

function after(book: ScenarioBook = emptyBook, stretch: Stretch): ScenarioBook {
  if (stretch.first !== book.next) {
    const { scenario, first } = stretch
    throw new InvalidArgumentError(
      `${scenario}: ${first} follows ${book.next}: a stretch is missing`,
    )
  }
  const sums = emptySums()
  addSums(sums, book.sums)
  addSums(sums, stretch)
  return {
    sums,
    next: stretch.first + stretch.seeds,
    elapsedMs: book.elapsedMs + stretch.elapsedMs,
    file: stretch.file,
    failure: book.failure ?? stretch.failure,
  }
}

function linesOf(path: string): (Section | Stretch)[] {
  if (!existsSync(path)) return []
  const text = readFileSync(path, 'utf8')
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  if (whole.length < text.length) truncateSync(path, Buffer.byteLength(whole))
  return whole
    .split('\n')
    .slice(0, -1)
    .map((line, index) => parsed(line, `${path}:${index + 1}`))
}

function parsed(text: string, where: string): Section | Stretch {
  try {
    const line = JSON.parse(text)
    if (line.format === 1 && (line.section !== undefined || line.scenario !== undefined))
      return line
  } catch {
    // Said below.
  }
  throw new InvalidArgumentError(`${where}: not a line of a ledger of format 1`)
}
