/**
 * A client that hears nothing asks again, and its command may have been agreed on already. So every
 * command carries a number, and the replicated state remembers per client what it answered to which
 * number: a repeated command gets the first answer and is not carried out again.
 *
 * The memory is part of the replicated state: it is in every snapshot, it is the same on all members, and
 * it forgets by the cluster's time alone. A session that was forgotten never comes back under its id, and
 * its commands are refused for ever: a command is carried out at most once, or its client hears that
 * nobody can say.
 *
 * Follows Ongaro's thesis (2014), 6.3.
 */

export interface SessionLimits {
  /** Sessions at once. Past that the one idle longest makes room, if it was idle for `idleMinMs`. */
  readonly sessionsMax: number
  /** A session that was not used for this long is over. */
  readonly ttlMs: number
  /** No session younger than this is pushed out: longer than any client goes on repeating a command. */
  readonly idleMinMs: number
  /** Commands of one session that may be under way at once. */
  readonly openMax: number
}

/** How a client names a command. */
export interface CommandNumber {
  readonly session: string
  /** 1, 2, 3, … in the order of sending. */
  readonly sequence: number
  /** The smallest number the client still waits for: what is below may be forgotten. */
  readonly lowest: number
}

export type Admission<Answer> =
  /** Never seen: carry it out, then say `finish`. */
  | { readonly kind: 'new' }
  | { readonly kind: 'repeated'; readonly answer: Answer }
  /** There is no such session, or not any more. Whether the command was carried out is not known. */
  | { readonly kind: 'over' }
  /** The client itself said that it waits for this number no longer: it is never carried out now. */
  | { readonly kind: 'forgotten' }
  /** Too far ahead of the lowest number. */
  | { readonly kind: 'full' }

/** Plain data, as in a snapshot; sessions in order of their last use. */
export interface SessionPicture<Answer> {
  readonly id: string
  readonly usedMs: number
  readonly lowest: number
  readonly answers: readonly (readonly [sequence: number, answer: Answer])[]
}

export interface ClientSessions<Answer> {
  /** @returns `false` if there is no room. `id` must never have been used before. */
  open(id: string, nowMs: number): boolean
  admit(number: CommandNumber, nowMs: number): Admission<Answer>
  finish(number: CommandNumber, answer: Answer): void
  close(id: string): void
  /** Forgets sessions that were not used for the time to live. `nowMs` never goes back. */
  expire(nowMs: number): void
  /** Later changes do not show in it. */
  picture(): readonly SessionPicture<Answer>[]
  /** Replaces all sessions. */
  restore(pictures: Iterable<SessionPicture<Answer>>): void
  readonly size: number
}

interface Session<Answer> {
  usedMs: number
  lowest: number
  answers: Map<number, Answer>
}

export function clientSessions<Answer>(limits: SessionLimits): ClientSessions<Answer> {
  const { sessionsMax, ttlMs, idleMinMs, openMax } = limits
  // In order of last use: time only grows, so the front is always the one idle longest.
  const sessions = new Map<string, Session<Answer>>()

  function use(id: string, session: Session<Answer>, nowMs: number): void {
    session.usedMs = nowMs
    sessions.delete(id)
    sessions.set(id, session)
  }

  function makeRoom(nowMs: number): boolean {
    if (sessions.size < sessionsMax) return true
    const [oldest] = sessions
    if (oldest === undefined || nowMs - oldest[1].usedMs < idleMinMs) return false
    return sessions.delete(oldest[0])
  }

  return {
    open(id, nowMs) {
      if (!makeRoom(nowMs)) return false
      use(id, { usedMs: nowMs, lowest: 1, answers: new Map() }, nowMs)
      return true
    },
    admit({ session: id, sequence, lowest }, nowMs) {
      const session = sessions.get(id)
      if (session === undefined) return { kind: 'over' }
      use(id, session, nowMs)
      if (lowest > session.lowest) {
        session.lowest = lowest
        for (const old of session.answers.keys()) if (old < lowest) session.answers.delete(old)
      }
      if (sequence < session.lowest) return { kind: 'forgotten' }
      const answer = session.answers.get(sequence)
      if (answer !== undefined) return { kind: 'repeated', answer }
      return sequence >= session.lowest + openMax ? { kind: 'full' } : { kind: 'new' }
    },
    finish({ session: id, sequence }, answer) {
      sessions.get(id)?.answers.set(sequence, answer)
    },
    close: (id) => void sessions.delete(id),
    expire(nowMs) {
      for (const [id, { usedMs }] of sessions) {
        if (usedMs + ttlMs > nowMs) return
        sessions.delete(id)
      }
    },
    picture() {
      return [...sessions].map(([id, { usedMs, lowest, answers }]) => {
        return { id, usedMs, lowest, answers: [...answers] }
      })
    },
    restore(pictures) {
      sessions.clear()
      for (const { id, usedMs, lowest, answers } of pictures) {
        sessions.set(id, { usedMs, lowest, answers: new Map(answers) })
      }
    },
    get size() {
      return sessions.size
    },
  }
}
