/**
 * Chance from the system's cryptographic generator. The names of streams are for the simulator; here
 * they change nothing.
 */
import { randomBytes, randomFillSync } from 'node:crypto'
import { InvalidArgumentError } from '../../errors.ts'
import type { RandomSource } from '../random.ts'

const lengthMax = 65_536

export function nodeRandom(): RandomSource {
  // One call to the system serves many fractions.
  const pool = new Uint32Array(512)
  let left = 0

  return {
    fraction() {
      if (left === 0) {
        randomFillSync(pool)
        left = pool.length
      }
      left -= 2
      // 53 bits are what a number holds, so the result stays below 1.
      const high = (pool[left] ?? 0) >>> 5
      const low = (pool[left + 1] ?? 0) >>> 6
      return (high * 2 ** 26 + low) / 2 ** 53
    },
    bytes(_stream, length) {
      if (!(Number.isSafeInteger(length) && length >= 0 && length <= lengthMax)) {
        throw new InvalidArgumentError(`length is ${length}; expected 0 to ${lengthMax}`)
      }
      return randomFillSync(new Uint8Array(length))
    },
    id: () => randomBytes(16).toString('hex'),
  }
}
