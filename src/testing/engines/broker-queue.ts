/**
 * One queue of a broker. What a majority of its nodes keeps is here in `rows`, `letters` and `seen`; which
 * deliveries are under way is known to the leader alone, and is told to each call as `isOut`. What comes
 * back for another delivery goes behind everything that waits: that is how a broker reorders.
 */
import type {
  ClaimRequest,
  DeadLetter,
  QueueLimits,
  QueueStats,
  WorkMessage,
} from '../../ports/work-store.ts'

export interface QueueRow {
  readonly seq: number
  readonly message: WorkMessage
  readonly publishedAtMs: number
  /** When it is due, or was. */
  dueMs: number
  /** Its place among the ready ones of its priority, then `turn`. */
  orderMs: number
  turn: number
  attempts: number
  redrives: number
  /** Has it been delivered before? */
  delivered: boolean
  /** Was it handed out, and neither settled nor put back since? */
  out: boolean
}

export type IsOut = (row: QueueRow) => boolean

export interface BrokerQueue {
  limit(limits: QueueLimits): void
  publish(
    messages: readonly WorkMessage[],
    nowMs: number,
    isOut: IsOut,
  ): readonly ('stored' | 'duplicate')[] | 'full'
  /** Counts the attempts and takes nothing away: that is for the leader to remember. */
  claim(request: ClaimRequest, nowMs: number, isOut: IsOut): readonly QueueRow[]
  /** Behind all that waits, now or after a delay. */
  back(row: QueueRow, nowMs: number, delayMs?: number): void
  /** Everything that was handed out, the last one first. */
  allBack(nowMs: number): void
  /** Done, or dead if there is a reason. */
  end(row: QueueRow, nowMs: number, reason?: string): void
  letters(page: { readonly after?: string; readonly limit: number }): readonly DeadLetter[]
  redrive(ids: readonly string[], nowMs: number): number
  stats(nowMs: number, isOut: IsOut): QueueStats
  /** Has one become due since then? */
  becameDue(sinceMs: number, nowMs: number): boolean
}

const redrivesMax = 10
const lettersMax = 10_000
const reasonMax = 4_096
const kindsMax = 100
const priorityDefault = 5

interface Letter {
  readonly row: QueueRow
  readonly reason: string
  readonly diedAtMs: number
}

export function brokerQueue(first: QueueLimits): BrokerQueue {
  let limits = first
  const rows = new Map<number, QueueRow>()
  const seen = new Map<string, number>()
  let letters: Letter[] = []
  let lastSeq = 0
  let lastTurn = 0
  let droppedTotal = 0
  let redeliveredTotal = 0

  const ready = (nowMs: number, isOut: IsOut): QueueRow[] =>
    [...rows.values()].filter((row) => row.dueMs <= nowMs && !isOut(row))

  function back(row: QueueRow, nowMs: number, delayMs = 0): void {
    if (!rows.has(row.seq)) return
    row.out = false
    if (delayMs > 0 || row.dueMs > nowMs) row.dueMs = nowMs + delayMs
    row.orderMs = nowMs + delayMs
    row.turn = ++lastTurn
  }

  function unseen(messages: readonly WorkMessage[], nowMs: number): boolean[] {
    for (const [id, untilMs] of seen) if (untilMs <= nowMs) seen.delete(id)
    const here = new Set<string>()
    return messages.map(({ id }) => {
      if (limits.dedupMs === 0) return true
      const news = !seen.has(id) && !here.has(id)
      here.add(id)
      return news
    })
  }

  function store(message: WorkMessage, nowMs: number): void {
    const dueMs = nowMs + (message.delayMs ?? 0)
    const seq = ++lastSeq
    const turn = ++lastTurn
    const counts = { attempts: 0, redrives: 0, delivered: false, out: false }
    rows.set(seq, { seq, message, publishedAtMs: nowMs, dueMs, orderMs: dueMs, turn, ...counts })
    if (limits.dedupMs > 0) seen.set(message.id, nowMs + limits.dedupMs)
  }

  return {
    limit(other) {
      limits = other
    },
    publish(messages, nowMs, isOut) {
      const news = unseen(messages, nowMs)
      const count = news.filter(Boolean).length
      const excess = rows.size + count - limits.lengthMax
      if (count > 0 && excess > 0) {
        if (limits.overflow === 'reject') return 'full'
        const oldest = ready(nowMs, isOut).slice(0, excess)
        if (oldest.length < excess) return 'full'
        for (const { seq } of oldest) rows.delete(seq)
        droppedTotal += excess
      }
      for (const [index, message] of messages.entries()) if (news[index]) store(message, nowMs)
      return news.map((isNew) => (isNew ? 'stored' : 'duplicate'))
    },
    claim({ kinds, limit }, nowMs, isOut) {
      const wanted = new Set(kinds)
      const claimed = ready(nowMs, isOut)
        .filter(({ message }) => wanted.has(message.kind))
        .sort(inOrder)
        .slice(0, limit)
      for (const row of claimed) {
        row.attempts += 1
        if (row.delivered) redeliveredTotal += 1
        row.delivered = true
        row.out = true
      }
      return claimed
    },
    back,
    allBack(nowMs) {
      for (const row of [...rows.values()].reverse()) if (row.out) back(row, nowMs)
    },
    end(row, nowMs, reason) {
      if (!rows.delete(row.seq) || reason === undefined) return
      const bounded = reason.slice(0, reasonMax).toWellFormed()
      letters.push({ row, reason: bounded, diedAtMs: nowMs })
      if (letters.length <= lettersMax) return
      letters = letters.slice(1)
      droppedTotal += 1
    },
    letters({ after, limit }) {
      const place = letters.findIndex(({ row }) => row.message.id === after)
      return letters.slice(place + 1, place + 1 + limit).map(({ row, reason, diedAtMs }) => {
        const { message, attempts, redrives, publishedAtMs } = row
        return { message, reason, attempts, redrives, publishedAtMs, diedAtMs }
      })
    },
    redrive(ids, nowMs) {
      const wanted = new Set(ids)
      const moving = letters.filter(
        ({ row }) => wanted.has(row.message.id) && row.redrives < redrivesMax,
      )
      letters = letters.filter((letter) => !moving.includes(letter))
      for (const { row } of moving.sort((a, b) => a.row.seq - b.row.seq)) {
        row.attempts = 0
        row.redrives += 1
        rows.set(row.seq, row)
        back(row, nowMs)
      }
      return moving.length
    },
    stats(nowMs, isOut) {
      const waiting = ready(nowMs, isOut)
      const inFlight = [...rows.values()].filter(isOut).length
      const oldestMs = Math.min(nowMs, ...waiting.map(({ dueMs }) => dueMs))
      const readyByKind: Record<string, number> = {}
      for (const { message } of waiting) {
        const { kind } = message
        if (kind in readyByKind || Object.keys(readyByKind).length < kindsMax) {
          readyByKind[kind] = (readyByKind[kind] ?? 0) + 1
        }
      }
      return {
        ready: waiting.length,
        delayed: rows.size - waiting.length - inFlight,
        inFlight,
        blocked: 0,
        dead: letters.length,
        oldestReadyMs: nowMs - oldestMs,
        readyByKind,
        droppedTotal,
        redeliveredTotal,
      }
    },
    becameDue: (sinceMs, nowMs) =>
      [...rows.values()].some(({ dueMs }) => dueMs > sinceMs && dueMs <= nowMs),
  }
}

function inOrder(one: QueueRow, other: QueueRow): number {
  const { priority: first = priorityDefault } = one.message
  const { priority: second = priorityDefault } = other.message
  return first - second || one.orderMs - other.orderMs || one.turn - other.turn
}
