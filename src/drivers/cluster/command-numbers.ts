/**
 * The client's side of its session with the cluster: which session, which number is next, and which is the
 * lowest that is still waited for.
 */
import { LimitExceededError } from '../../errors.ts'
import type { CommandNumber } from '../../protocols/sessions/sessions.ts'

export interface CommandNumbers {
  /** A number for one command. Opens a session if there is none. */
  take(): Promise<TakenNumber>
  /** The cluster knows this session no longer. */
  forget(session: string): void
}

export interface TakenNumber {
  readonly session: string
  /** As it is sent now: the lowest one moves. */
  now(): CommandNumber
  /** Nobody waits for it any longer. */
  done(): void
}

interface OpenSession {
  readonly id: string
  last: number
  /** In order of taking, so the first is the lowest. */
  readonly open: Set<number>
}

/** A little less than the cluster allows for one session. */
const openMax = 1_000
const waitingMax = 10_000

export function commandNumbers(openSession: () => Promise<string>): CommandNumbers {
  let current: OpenSession | undefined
  let opening: Promise<OpenSession> | undefined
  const waiting: (() => void)[] = []

  async function session(): Promise<OpenSession> {
    if (current !== undefined) return current
    opening ??= openSession()
      .then((id) => {
        current = { id, last: 0, open: new Set() }
        return current
      })
      .finally(() => {
        opening = undefined
      })
    return opening
  }

  return {
    async take() {
      let owner = await session()
      while (owner.last + 1 - lowest(owner) >= openMax) {
        if (waiting.length >= waitingMax) {
          throw new LimitExceededError(`${waitingMax} commands wait to be sent`)
        }
        await new Promise<void>((go) => waiting.push(go))
        owner = await session()
      }
      const of = owner
      of.last += 1
      const sequence = of.last
      of.open.add(sequence)
      return {
        session: of.id,
        now: () => ({ session: of.id, sequence, lowest: lowest(of) }),
        done() {
          of.open.delete(sequence)
          if (waiting.length > 0) for (const go of waiting.splice(0, openMax)) go()
        },
      }
    },
    forget(id) {
      if (current?.id === id) current = undefined
    },
  }
}

function lowest({ open, last }: OpenSession): number {
  for (const first of open) return first
  return last + 1
}
