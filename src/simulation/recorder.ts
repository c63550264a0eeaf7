/**
 * The recorder keeps what a picture of a run needs: who said what to whom and whether it arrived, who was
 * born, died or stood still, and which faults lay over it. It is there only when somebody wants to look;
 * a recorded run has the very same trace as one that is not.
 */

/** Both ends of an arrow. Times are virtual microseconds. */
export interface Message {
  readonly kind: 'datagram' | 'stream' | 'connect' | 'reset'
  /** `machine/process` */
  readonly source: string
  /** `machine/process`, or the machine alone if nobody took it. */
  target: string
  readonly sentUs: number
  /** `undefined`: still on its way when the run ended, or never came. */
  arrivedUs: number | undefined
  readonly sizeBytes: number
  /** Why it never came: `lost`, `cut`, `stalled`, `nobody there`. */
  dropped: string | undefined
}

export type MarkKind =
  | 'start'
  | 'exit'
  | 'kill'
  | 'power-cut'
  | 'pause'
  | 'commit'
  | 'sync'
  | 'note'
  | 'healed'
  | 'violation'

export interface Mark {
  readonly kind: MarkKind
  /** `machine/process`; `undefined` for the whole world. */
  readonly lane: string | undefined
  readonly atUs: number
  /** For a pause: when it ends. */
  readonly untilUs?: number
  readonly text: string
}

export interface Band {
  readonly kind: string
  readonly text: string
  readonly fromUs: number
  /** `undefined`: until healing, or the end of the run. */
  untilUs: number | undefined
}

/** A recorded call of a history. */
export interface DrawnOperation {
  /** `machine/process` */
  readonly lane: string
  /** What was asked. */
  readonly text: string
  readonly fromUs: number
  /** `undefined`: nobody saw its end. */
  untilUs: number | undefined
  answer: string | undefined
  /** A judge says that it cannot be right. */
  blamed: boolean
}

/** What a process took itself for in a term, as it noted (`Probe.note`): `leader`, `follower`, … */
export interface RoleSpan {
  /** `machine/process` */
  readonly lane: string
  readonly term: number
  readonly role: string
  readonly fromUs: number
  /** `undefined`: to the end of the run. */
  untilUs: number | undefined
}

export interface Recording {
  readonly messages: readonly Message[]
  readonly operations: readonly DrawnOperation[]
  readonly marks: readonly Mark[]
  readonly bands: readonly Band[]
  readonly roles: readonly RoleSpan[]
  /** `machine/process`, sorted. */
  readonly lanes: readonly string[]
  readonly endUs: number
  /** How many of the oldest messages and marks were let go. */
  readonly forgotten: number
}

export interface Recorder {
  message(message: Pick<Message, 'kind' | 'source' | 'target' | 'sizeBytes'>): Message
  arrived(message: Message | undefined, target: string): void
  mark(kind: MarkKind, lane: string | undefined, text: string, untilUs?: number): void
  band(kind: string, text: string): Band
  end(band: Band): void
  role(lane: string, term: number, role: string): void
  operation(lane: string, text: string): DrawnOperation
  operationEnded(operation: DrawnOperation | undefined, answer: string): void
  blame(operation: DrawnOperation | undefined): void
  recording(): Recording
}

const deaths: ReadonlySet<MarkKind> = new Set(['exit', 'kill', 'power-cut'])

/** So many of each are kept, the newest: the end of a run tells most. */
const keptMax = 5_000

export function recorder(nowUs: () => number): Recorder {
  let messages: Message[] = []
  let marks: Mark[] = []
  let operations: DrawnOperation[] = []
  const bands: Band[] = []
  let roles: RoleSpan[] = []
  /** What each process takes itself for now. */
  const current = new Map<string, RoleSpan>()
  const lanes = new Set<string>()
  let forgotten = 0

  function bounded<Entry>(entries: Entry[]): Entry[] {
    if (entries.length < 2 * keptMax) return entries
    forgotten += keptMax
    return entries.slice(keptMax)
  }

  function endRole(lane: string): void {
    const span = current.get(lane)
    if (span !== undefined) span.untilUs = nowUs()
    current.delete(lane)
  }

  return {
    message(said) {
      const message = { ...said, sentUs: nowUs(), arrivedUs: undefined, dropped: undefined }
      messages.push(message)
      messages = bounded(messages)
      return message
    },
    arrived(message, target) {
      if (message === undefined) return
      message.arrivedUs = nowUs()
      message.target = target
    },
    mark(kind, lane, text, untilUs) {
      if (lane !== undefined) lanes.add(lane)
      // A dead process takes itself for nothing.
      if (lane !== undefined && deaths.has(kind)) endRole(lane)
      marks.push({ kind, lane, atUs: nowUs(), text, ...(untilUs === undefined ? {} : { untilUs }) })
      marks = bounded(marks)
    },
    role(lane, term, role) {
      const last = current.get(lane)
      if (last?.term === term && last.role === role) return
      endRole(lane)
      const span = { lane, term, role, fromUs: nowUs(), untilUs: undefined }
      current.set(lane, span)
      roles.push(span)
      roles = bounded(roles)
    },
    band(kind, text) {
      const band: Band = { kind, text, fromUs: nowUs(), untilUs: undefined }
      bands.push(band)
      return band
    },
    end(band) {
      band.untilUs ??= nowUs()
    },
    operation(lane, text) {
      lanes.add(lane)
      const operation: DrawnOperation = {
        lane,
        text,
        fromUs: nowUs(),
        untilUs: undefined,
        answer: undefined,
        blamed: false,
      }
      operations.push(operation)
      operations = bounded(operations)
      return operation
    },
    operationEnded(operation, answer) {
      if (operation === undefined) return
      operation.untilUs = nowUs()
      operation.answer = answer
    },
    blame(operation) {
      if (operation === undefined) return
      operation.blamed = true
      // However long ago: a picture without it would show nothing.
      if (!operations.includes(operation)) operations.unshift(operation)
    },
    recording: () => ({
      messages,
      operations,
      marks,
      bands,
      roles,
      lanes: [...lanes].sort(),
      endUs: nowUs(),
      forgotten,
    }),
  }
}
