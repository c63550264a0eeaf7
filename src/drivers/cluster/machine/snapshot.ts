/**
 * The machine's state as text, one thing per line, each line JSON with a word in front that says what it
 * is. The first line names the format, the last one counts the lines. The same text is a snapshot, cut
 * into pieces, and a backup.
 *
 * Taking it copies no rows: the tables give pictures, and whatever is changed later is copied first.
 */
import { CorruptDataError, FormatTooNewError } from '../../../errors.ts'
import type { RegistryEntry } from '../../../ports/registry.ts'
import type { SessionPicture } from '../../../protocols/sessions/sessions.ts'
import { markedJson, unmarkedJson } from '../link/marked-json.ts'
import type { Keyspace } from './keyspace.ts'
import type { LeaseRow } from './lease-table.ts'
import type { MachineState } from './machine.ts'
import type { CounterRow, RecordRow } from './record-table.ts'
import type { RegistryEvent, RegistryPicture, SessionRow } from './registry-table.ts'

export const snapshotFormat: number = 1
/** Of one piece, in bytes. */
export const pieceBytesMax: number = 262_144
/** Lines are gathered until they have this many characters. */
const textChars = 65_536

interface StoredLease extends Omit<LeaseRow, 'line' | 'endsMs'> {
  readonly endsMs?: number
  readonly line: readonly (readonly [attemptId: string, endsMs: number])[]
}
interface Machine {
  readonly clusterId: string
  readonly timeMs: number
  readonly clockTerm: number
  readonly doors: readonly (readonly [id: string, address: string])[]
}
interface Counts {
  readonly name: string
  readonly writes: bigint
  readonly revision: bigint
  readonly compacted: bigint
  readonly incarnations: bigint
}

type Line =
  | readonly ['holdfast-cluster', number]
  | readonly ['machine', Machine]
  | readonly ['client', SessionPicture<string>]
  | readonly ['restoring', string]
  | readonly ['restoring-text', string]
  /** What follows belongs to it. */
  | readonly ['keyspace', Counts]
  | readonly ['lease', StoredLease]
  | readonly ['session', SessionRow]
  | readonly ['entry', RegistryEntry]
  | readonly ['event', RegistryEvent]
  /** What follows belongs to it. */
  | readonly ['space', string]
  | readonly ['record', RecordRow]
  | readonly ['counter', CounterRow]
  | readonly ['end', number]

/** Texts that are the state as of this call, however late they are read. */
export function snapshotTexts(state: Readonly<MachineState>): Iterable<string> {
  const { clusterId, timeMs, clockTerm, doors, sessions, keyspaces, restoring } = state
  const machine = { clusterId, timeMs, clockTerm, doors: [...doors].sort() }
  const clients = sessions.picture()
  const spaces = [...keyspaces.from('')].map(([name, space]) => keyspaceLines(name, space))
  return gathered(function* lines(): Generator<Line> {
    yield ['holdfast-cluster', snapshotFormat]
    yield ['machine', machine]
    for (const client of clients) yield ['client', client]
    if (restoring !== undefined) yield ['restoring', restoring.id]
    for (const text of restoring?.texts ?? []) yield ['restoring-text', text]
    for (const of of spaces) yield* of()
  })
}

function keyspaceLines(name: string, space: Keyspace): () => Generator<Line> {
  const leases = space.leases.picture()
  const { revision, compacted, incarnations, sessions, entries, history } = space.registry.picture()
  const { spaces } = space.records.picture()
  const counts = { name, writes: space.writes, revision, compacted, incarnations }
  return function* lines() {
    yield ['keyspace', counts]
    for (const row of leases) yield ['lease', storedLease(row)]
    for (const session of sessions) yield ['session', session]
    for (const entry of entries) yield ['entry', entry]
    for (const event of history) yield ['event', event]
    for (const { space, rows, sums } of spaces) {
      yield ['space', space]
      for (const row of rows) yield ['record', row]
      for (const counter of sums) yield ['counter', counter]
    }
  }
}

function storedLease({ line, endsMs, ...row }: LeaseRow): StoredLease {
  return { ...row, ...(row.attemptId === undefined ? {} : { endsMs }), line: [...line] }
}

function* gathered(lines: () => Iterable<Line>): Generator<string, void, undefined> {
  let text = ''
  let count = 0
  for (const line of lines()) {
    text += `${markedJson(line)}\n`
    count += 1
    if (text.length < textChars) continue
    yield text
    text = ''
  }
  yield `${text}${markedJson(['end', count])}\n`
}

/** The texts as bytes, in pieces of at most `pieceBytesMax`. */
export function snapshotPieces(state: Readonly<MachineState>): Iterable<Uint8Array> {
  const texts = snapshotTexts(state)
  return (function* pieces(): Generator<Uint8Array> {
    const encoder = new TextEncoder()
    for (const text of texts) {
      const bytes = encoder.encode(text)
      for (let at = 0; at < bytes.length; at += pieceBytesMax) {
        yield bytes.subarray(at, at + pieceBytesMax)
      }
    }
  })()
}

/**
 * Replaces the state.
 * @throws {CorruptDataError} not such a text, or not all of it. @throws {FormatTooNewError}
 */
export function loadSnapshot(
  state: MachineState,
  pieces: readonly Uint8Array[],
  make: (namespace: string) => Keyspace,
): void {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  loadTexts(state, decoded(pieces, decoder), make)
}

function* decoded(pieces: readonly Uint8Array[], decoder: TextDecoder): Generator<string> {
  for (const piece of pieces) yield decoder.decode(piece, { stream: true })
  yield decoder.decode()
}

interface Reading {
  machine: Machine | undefined
  restoring: { readonly id: string; readonly texts: string[] } | undefined
  readonly clients: SessionPicture<string>[]
  readonly keyspaces: ReadKeyspace[]
}

interface ReadKeyspace {
  readonly counts: Counts
  readonly leases: StoredLease[]
  readonly sessions: SessionRow[]
  readonly entries: RegistryEntry[]
  readonly history: RegistryEvent[]
  readonly spaces: { space: string; rows: RecordRow[]; sums: CounterRow[] }[]
}

/** As `loadSnapshot`, from text cut anywhere. Nothing is changed before all of it was understood. */
export function loadTexts(
  state: MachineState,
  texts: Iterable<string>,
  make: (namespace: string) => Keyspace,
): void {
  const reading = read(texts)
  const { machine, clients, keyspaces, restoring } = reading
  if (machine === undefined) throw new CorruptDataError('a snapshot without its machine')
  state.clusterId = machine.clusterId
  state.timeMs = machine.timeMs
  state.clockTerm = machine.clockTerm
  state.restoring = restoring
  state.doors.clear()
  for (const [id, address] of machine.doors) state.doors.set(id, address)
  state.sessions.restore(clients)
  state.keyspaces.clear()
  for (const one of keyspaces) {
    const space = make(one.counts.name)
    loadKeyspace(space, one)
    state.keyspaces.set(one.counts.name, space)
  }
}

function loadKeyspace(into: Keyspace, { counts, leases, spaces, ...registry }: ReadKeyspace): void {
  into.loadWrites(counts.writes)
  for (const { line, endsMs = Number.NEGATIVE_INFINITY, ...row } of leases) {
    into.leases.load({ ...row, endsMs, line: new Map(line) })
  }
  const picture: RegistryPicture = { ...counts, ...registry }
  into.registry.load(picture)
  into.records.load({ spaces })
}

function read(texts: Iterable<string>): Reading {
  const reading: Reading = { machine: undefined, restoring: undefined, clients: [], keyspaces: [] }
  let count = 0
  let ended = false
  for (const text of linesOf(texts)) {
    if (ended) throw new CorruptDataError('a snapshot that goes on after its end')
    const line = lineOf(text)
    if (count === 0) requireFormat(line)
    else if (line[0] !== 'end') take(reading, line)
    else if (line[1] === count) ended = true
    else throw new CorruptDataError(`a snapshot of ${count} lines that counts ${line[1]}`)
    count += 1
  }
  if (!ended) throw new CorruptDataError('a snapshot without its end')
  return reading
}

function requireFormat([word, format]: Line): void {
  if (word !== 'holdfast-cluster') throw new CorruptDataError('not a snapshot of this machine')
  if (format === snapshotFormat) return
  throw new FormatTooNewError(`a snapshot of format ${format}; this version knows 1`)
}

function take(reading: Reading, line: Line): void {
  const space = reading.keyspaces.at(-1)
  const records = space?.spaces.at(-1)
  switch (line[0]) {
    case 'machine':
      reading.machine = line[1]
      return
    case 'client':
      reading.clients.push(line[1])
      return
    case 'restoring':
      reading.restoring = { id: line[1], texts: [] }
      return
    case 'restoring-text':
      reading.restoring?.texts.push(line[1])
      return
    case 'keyspace':
      reading.keyspaces.push(emptyKeyspace(line[1]))
      return
    case 'lease':
      space?.leases.push(line[1])
      return
    case 'session':
      space?.sessions.push(line[1])
      return
    case 'entry':
      space?.entries.push(line[1])
      return
    case 'event':
      space?.history.push(line[1])
      return
    case 'space':
      space?.spaces.push({ space: line[1], rows: [], sums: [] })
      return
    case 'record':
      records?.rows.push(line[1])
      return
    case 'counter':
      records?.sums.push(line[1])
      return
    default:
      throw new CorruptDataError(`a snapshot with a line "${String(line[0])}"`)
  }
}

function emptyKeyspace(counts: Counts): ReadKeyspace {
  return { counts, leases: [], sessions: [], entries: [], history: [], spaces: [] }
}

function lineOf(text: string): Line {
  try {
    return unmarkedJson(text) as Line
  } catch (cause) {
    throw new CorruptDataError(`a snapshot with a line that cannot be read: ${text.slice(0, 60)}`, {
      cause,
    })
  }
}

function* linesOf(texts: Iterable<string>): Generator<string, void, undefined> {
  let rest = ''
  for (const text of texts) {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
  if (rest !== '') yield rest
}
