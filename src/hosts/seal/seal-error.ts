/**
 * Why a sealed link did not come about, or ended. Nothing that came over it after the last good byte was
 * believed, so nothing happened.
 */
import { HoldfastError } from '../../errors.ts'

/**
 * `secret`: the other side knows none of our secrets. `cluster`: it belongs to another cluster.
 * `version`: it speaks another version, or no such thing at all. `tampered`: bytes were changed, left out,
 * repeated or put in another order. `truncated`: the end of the stream is not one that the peer wanted.
 * `broken`: the connection ended during the handshake, or took too long over it.
 */
export type SealRefusal = 'secret' | 'cluster' | 'version' | 'tampered' | 'truncated' | 'broken'

/** A stranger, another cluster, or somebody in the middle: the link is refused, not the member. */
export class SealError extends HoldfastError {
  readonly reason: SealRefusal

  constructor(reason: SealRefusal, message: string, cause?: unknown) {
    super('seal-refused', 'not-applied', message, { details: { reason }, cause })
    this.reason = reason
  }
}
