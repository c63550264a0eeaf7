/**
 * The machine with a memory for what clients repeat. A client that hears nothing asks again, and its command
 * may be in the row twice; it is done once, and the first answer is given again. The memory is part of the
 * replicated state and of every snapshot. Its clock is the slot: the same on all members.
 */
import { clientSessions, type SessionPicture } from '../../protocols/sessions/sessions.ts'
import { decode, encode } from './codec.ts'
import type { ClientAnswer, ClientRequest, PaxosMachine } from './contract.ts'

export interface OnceMachine {
  /** @returns what the client is to hear. */
  apply(slot: number, data: Uint8Array): ClientAnswer | undefined
  snapshot(): Uint8Array
  restore(state: Uint8Array): void
}

interface Picture {
  readonly sessions: readonly SessionPicture<Uint8Array>[]
  readonly state: Uint8Array
}

export function onceMachine(machine: PaxosMachine, sessionsMax: number): OnceMachine {
  // No session goes by age: only to make room, and then the one idle longest.
  const limits = { sessionsMax, ttlMs: Number.MAX_SAFE_INTEGER, idleMinMs: 0, openMax: 1 }
  const sessions = clientSessions<Uint8Array>(limits)
  return {
    apply(slot, data) {
      const request = decode<ClientRequest>(data)
      const { id } = request
      if (request.kind === 'open') {
        const session = `s${slot}`
        sessions.open(session, slot)
        return { kind: 'opened', id, session }
      }
      if (request.kind !== 'do') return undefined
      const { session, sequence, command } = request
      const number = { session, sequence, lowest: sequence }
      const admission = sessions.admit(number, slot)
      if (admission.kind === 'repeated') return { kind: 'done', id, answer: admission.answer }
      if (admission.kind !== 'new') return { kind: 'session-over', id }
      const answer = machine.apply(slot, command)
      sessions.finish(number, answer)
      return { kind: 'done', id, answer }
    },
    snapshot() {
      const picture: Picture = { sessions: sessions.picture(), state: machine.snapshot() }
      return encode(picture)
    },
    restore(bytes) {
      const picture = decode<Picture>(bytes)
      sessions.restore(picture.sessions)
      machine.restore(picture.state)
    },
  }
}
