/**
 * Small pieces of bytes cut from large ones. A buffer of its own for each message of 200 bytes costs the
 * garbage collector more than the message costs everybody else. What is kept for long must be copied
 * (`slice`), or a small piece keeps a large one alive.
 */
const poolBytes = 65_536
const pieceBytesMax = 8_192

const encoder = new TextEncoder()
let pool = new Uint8Array(0)
let at = 0

/** Content undefined: write all of it. */
export function takeBytes(length: number): Uint8Array {
  if (length > pieceBytesMax) return new Uint8Array(length)
  reserve(length)
  const from = at
  at += length
  return pool.subarray(from, at)
}

/** UTF-8 after one byte of the caller's. */
export function encodeWithPrefix(prefix: number, text: string): Uint8Array {
  if (text.length > pieceBytesMax) {
    const bytes = encoder.encode(`\0${text}`)
    bytes[0] = prefix
    return bytes
  }
  // Three bytes per UTF-16 unit is the most UTF-8 needs.
  reserve(1 + text.length * 3)
  const from = at
  pool[from] = prefix
  at += 1 + encoder.encodeInto(text, pool.subarray(from + 1)).written
  return pool.subarray(from, at)
}

function reserve(length: number): void {
  if (pool.length - at >= length) return
  pool = new Uint8Array(poolBytes)
  at = 0
}
