/**
 * CRC-32C (Castagnoli), the checksum of storage: it finds every error burst of up to 32 bits and all but one
 * in four billion of the others. It guards against accidents, not against a forger.
 *
 * Eight bytes a step, by eight tables ("slicing by 8"): about four times as fast as byte by byte.
 */

const polynomial = 0x82f63b78
const tables = makeTables()

/** The checksum of the bytes, going on from `seed`: that of what comes before, or any 32 bits. */
export function crc32c(bytes: Uint8Array, seed = 0): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = tables
  const length = bytes.length
  let crc = ~seed
  let at = 0
  for (; at + 8 <= length; at += 8) {
    // Reads past the end are `undefined` and become 0 by `|`; here there are none.
    const low =
      crc ^
      ((bytes[at] as number) |
        ((bytes[at + 1] as number) << 8) |
        ((bytes[at + 2] as number) << 16) |
        ((bytes[at + 3] as number) << 24))
    crc =
      (t7[low & 255] as number) ^
      (t6[(low >>> 8) & 255] as number) ^
      (t5[(low >>> 16) & 255] as number) ^
      (t4[low >>> 24] as number) ^
      (t3[bytes[at + 4] as number] as number) ^
      (t2[bytes[at + 5] as number] as number) ^
      (t1[bytes[at + 6] as number] as number) ^
      (t0[bytes[at + 7] as number] as number)
  }
  for (; at < length; at++) {
    crc = (t0[(crc ^ (bytes[at] as number)) & 255] as number) ^ (crc >>> 8)
  }
  return ~crc >>> 0
}

type Tables = readonly [
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
  Int32Array,
]

/** Table `k` says what a byte does to the checksum `k` zero bytes later. */
function makeTables(): Tables {
  const first = new Int32Array(256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1
    first[byte] = crc
  }
  const after = (table: Int32Array): Int32Array =>
    table.map((crc) => (first[crc & 255] as number) ^ (crc >>> 8))
  const second = after(first)
  const third = after(second)
  const fourth = after(third)
  const fifth = after(fourth)
  const sixth = after(fifth)
  const seventh = after(sixth)
  return [first, second, third, fourth, fifth, sixth, seventh, after(seventh)]
}
