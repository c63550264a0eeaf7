/**
 * Why members refuse to talk, or stop. The reason goes over the wire as a number, so the order of the list
 * is a format: append only.
 */
import { HoldfastError } from '../../errors.ts'

/**
 * `version`: no protocol version that both know. `cluster`: another cluster. `member`: it was called by a
 * name that is not its own. `disk`: a known name with another disk: a wiped disk must come back as a new
 * member, or it could vote twice. `retired`: that name was a member once and never will be again.
 * `malformed`: bytes that no member sends. `busy`: too many links, or none is wanted now. `silent`: no
 * answer in time. `closed`: this side ended it.
 */
export const peerRefusals = [
  'version',
  'cluster',
  'member',
  'disk',
  'retired',
  'malformed',
  'busy',
  'silent',
  'closed',
] as const

export type PeerRefusal = (typeof peerRefusals)[number]

/** The link to a member ends; what was on its way may have arrived or not, as Raft expects anyway. */
export class PeerError extends HoldfastError {
  readonly reason: PeerRefusal

  constructor(reason: PeerRefusal, message: string, cause?: unknown) {
    super('peer-refused', 'not-applied', message, { details: { reason }, cause })
    this.reason = reason
  }
}
