/**
 * Chance that can be replayed: a draw is a hash of (seed, stream, how many draws before it). Each
 * process, link, disk and fault has streams of its own, so taking one fault out of a failing run
 * leaves all other draws as they were, and failures shrink to what matters.
 *
 * Integers of 32 bits only: the same on every engine, and quick.
 */

/** Mixes two 32-bit numbers into one from 0 to 2^32 - 1 (the finish of MurmurHash3). */
export function mix(left: number, right: number): number {
  let hash = (left ^ Math.imul(right + 0x9e3779b9, 0xcc9e2d51)) | 0
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** Hashes text (FNV-1a, then mixed). */
export function hashText(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  }
  return mix(hash, text.length)
}

/** Hashes bytes: all of them up to 64, else the first and last 32. */
export function hashBytes(bytes: Uint8Array): number {
  let hash = 0x811c9dc5
  const { length } = bytes
  for (let index = 0; index < length; index++) {
    if (length > 64 && index === 32) index = length - 32
    hash = Math.imul(hash ^ (bytes[index] ?? 0), 0x01000193)
  }
  return mix(hash, length)
}

/** A seed is a whole number up to 2^53; both halves count. */
export function seedKey(seed: number): number {
  return mix(seed | 0, Math.floor(seed / 4_294_967_296) | 0)
}

/** One stream of draws. */
export interface Draws {
  /** Uniform from 0 to 2^32 - 1. */
  word(): number
  /** Uniform whole number from 0 to `limit - 1`. */
  below(limit: number): number
  /** True in `share` of all draws, 0 to 1. */
  happens(share: number): boolean
  /** Uniform in [0, 1) with 53 bits. */
  fraction(): number
  /** One of the choices, each as likely. */
  pick<Choice>(choices: readonly Choice[]): Choice
}

export function drawsOf(key: number): Draws {
  return new KeyedDraws(key)
}

/** A class, unlike elsewhere: one is made for each message, and two numbers are cheaper than five closures. */
class KeyedDraws implements Draws {
  private readonly key: number
  private count = 0

  constructor(key: number) {
    this.key = key
  }

  word(): number {
    return mix(this.key, this.count++)
  }
  below(limit: number): number {
    return Math.floor((this.word() / 4_294_967_296) * limit)
  }
  happens(share: number): boolean {
    return this.word() < share * 4_294_967_296
  }
  fraction(): number {
    return ((this.word() >>> 5) * 67_108_864 + (this.word() >>> 6)) / 9_007_199_254_740_992
  }
  pick<Choice>(choices: readonly Choice[]): Choice {
    return choices[this.below(choices.length)] as Choice
  }
}

/** 128 bits as 32 hex digits. */
export function drawId(draws: Draws): string {
  let id = ''
  for (let part = 0; part < 4; part++) id += draws.word().toString(16).padStart(8, '0')
  return id
}
