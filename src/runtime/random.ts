/**
 * Chance, by named streams. A stream is a label such as `retry-jitter`; the simulator draws each
 * stream of each process from its own generator, so that removing one fault from a failing run does
 * not change every later draw, and failures shrink to what matters. In production all streams are the
 * system's cryptographic generator.
 */
export interface RandomSource {
  /** Uniform in [0, 1). */
  fraction(stream: string): number
  /** `length` uniform bytes, 0 to 65_536. */
  bytes(stream: string, length: number): Uint8Array<ArrayBuffer>
  /** 128 random bits as 32 hex digits: unique without coordination. */
  id(stream: string): string
}
