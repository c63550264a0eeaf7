/**
 * Chance that is part of the state, so that a copied machine draws what the original would have drawn.
 * Xorshift of 32 bits: it spreads election timeouts and nothing else.
 */

/** Any seed will do; the state is never zero, or every draw would be. */
export function chanceFrom(seed: number): number {
  let mixed = Math.imul((seed | 0) ^ Math.floor(seed / 4_294_967_296), 0x9e3779b1)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x85ebca6b)
  return (mixed ^ (mixed >>> 13)) | 0 || 1
}

export function nextChance(chance: number): number {
  let next = chance
  next ^= next << 13
  next ^= next >>> 17
  next ^= next << 5
  return next | 0
}

/** In [0, 1). */
export function fractionOf(chance: number): number {
  return (chance >>> 0) / 4_294_967_296
}
