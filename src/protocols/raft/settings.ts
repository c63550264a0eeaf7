/**
 * The options with every default filled in and every range checked: what the rest of the machine reads.
 */
import { InvalidArgumentError } from '../../errors.ts'
import type { RaftOptions } from './contract.ts'
import type { MemberId } from './entry.ts'

export interface Settings {
  readonly id: MemberId
  readonly electionMs: number
  readonly heartbeatMs: number
  readonly messageBytesMax: number
  readonly inflightMessagesMax: number
  readonly inflightBytesMax: number
  readonly uncommittedBytesMax: number
  readonly readsMax: number
  /** `undefined`: lease reads are refused. */
  readonly leaseDrift: number | undefined
}

const gibibyte = 1_073_741_824

/** @throws {InvalidArgumentError} an option is outside its range. */
export function settingsOf(options: RaftOptions): Settings {
  const settings: Settings = {
    id: options.id,
    electionMs: options.electionMs ?? 1_000,
    heartbeatMs: options.heartbeatMs ?? 100,
    messageBytesMax: options.messageBytesMax ?? 1_048_576,
    inflightMessagesMax: options.inflightMessagesMax ?? 256,
    inflightBytesMax: options.inflightBytesMax ?? 16_777_216,
    uncommittedBytesMax: options.uncommittedBytesMax ?? 67_108_864,
    readsMax: options.readsMax ?? 65_536,
    leaseDrift: options.leaseDrift,
  }
  requireId(settings.id)
  requireWithin('electionMs', settings.electionMs, 10, 600_000)
  requireWithin('heartbeatMs', settings.heartbeatMs, 1, settings.electionMs / 3)
  requireWithin('messageBytesMax', settings.messageBytesMax, 1, gibibyte)
  requireWithin('inflightMessagesMax', settings.inflightMessagesMax, 1, 65_536)
  requireWithin('inflightBytesMax', settings.inflightBytesMax, 1, gibibyte)
  requireWithin('uncommittedBytesMax', settings.uncommittedBytesMax, 1, 4 * gibibyte)
  requireWithin('readsMax', settings.readsMax, 1, 1_048_576)
  if (settings.leaseDrift !== undefined) requireWithin('leaseDrift', settings.leaseDrift, 0, 0.5)
  if (!Number.isSafeInteger(options.seed)) {
    throw new InvalidArgumentError(`seed is ${String(options.seed)}; expected a whole number`)
  }
  return settings
}

export function requireId(id: MemberId): void {
  if (typeof id === 'string' && isMemberId(id)) return
  throw new InvalidArgumentError(`a member's id is "${String(id)}"; expected 1 to 64 characters`)
}

export function isMemberId(id: string): boolean {
  return id.length >= 1 && id.length <= 64
}

function requireWithin(subject: string, value: number, min: number, max: number): void {
  if (typeof value === 'number' && value >= min && value <= max) return
  throw new InvalidArgumentError(`${subject} is ${String(value)}; expected ${min} to ${max}`)
}
