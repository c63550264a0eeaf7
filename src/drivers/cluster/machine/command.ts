/**
 * What is written into the agreed log, and what comes out of it: JSON with a format version. A command says
 * what to do, under which number of which client, and what time it is by the clock of the leader who
 * wrote it: no member ever looks at a clock while it carries a command out.
 */
import type { CommandNumber } from '../../../protocols/sessions/sessions.ts'
import { errorOf, type WireError } from '../link/link-errors.ts'
import { markedJson, unmarkedJson } from '../link/marked-json.ts'

export const commandFormat: number = 1

export interface Command {
  /** `leases.acquire`, `clock.lead`, … */
  readonly call: string
  /** The namespace, for calls on stores. */
  readonly in?: string
  readonly with: readonly unknown[]
  /** Absent: repeating it is harmless. */
  readonly number?: CommandNumber
  /** The leader's reading of the cluster's clock, and the term in which it leads. */
  readonly stamp?: ClockStamp
}

export interface ClockStamp {
  readonly term: number
  readonly nowMs: number
}

/** Not carried out, and why. */
export type CommandRefusal =
  /** Its stamp is of a leader who leads no more: nothing happened by this copy of the command. */
  'stale-stamp' | 'session-over' | 'forgotten' | 'too-many-open'

export type CommandAnswer =
  | { readonly answer?: unknown }
  | { readonly error: WireError }
  | { readonly refused: CommandRefusal }

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export function encodeCommand(command: Command): Uint8Array {
  return encoder.encode(markedJson({ v: commandFormat, ...command }))
}

/** @returns `undefined` if these bytes are no command of this format. */
export function decodeCommand(bytes: Uint8Array): Command | undefined {
  try {
    const command = unmarkedJson(decoder.decode(bytes)) as Command & { v: number }
    return isCommand(command) ? command : undefined
  } catch {
    return undefined
  }
}

function isCommand(value: Partial<Command> & { v?: unknown }): value is Command & { v: number } {
  const { v, call, with: values, in: namespace = '', number, stamp } = value
  if (v !== commandFormat || typeof call !== 'string' || !Array.isArray(values)) return false
  if (typeof namespace !== 'string') return false
  if (stamp !== undefined && !(isWhole(stamp.term) && isWhole(stamp.nowMs))) return false
  if (number === undefined) return true
  const { session, sequence, lowest } = number
  return typeof session === 'string' && isWhole(sequence) && isWhole(lowest)
}

function isWhole(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0
}

export function encodeAnswer(answer: CommandAnswer): string {
  return markedJson({ v: commandFormat, ...answer })
}

export function decodeAnswer(bytes: Uint8Array): CommandAnswer {
  return unmarkedJson(decoder.decode(bytes)) as CommandAnswer
}

/** What the command returned. @throws the error it ended with. */
export function answeredValue(answer: CommandAnswer): unknown {
  if ('error' in answer) throw errorOf(answer.error)
  return 'answer' in answer ? answer.answer : undefined
}
