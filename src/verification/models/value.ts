/** Hashing of the values that simple models hold. */
import type { Value } from '../history.ts'
import { mixed } from '../linearizability/model.ts'

/** 32 bits. `Object.is` equal values have equal hashes. */
export function hashValue(value: Value): number {
  if (typeof value === 'number' && Number.isInteger(value) && Math.abs(value) < 2 ** 31) {
    return mixed(value | 0)
  }
  return hashText(`${typeof value}:${value}`)
}

/** Continues from `hash`, so that the hash of a text grown at its end costs only the end. */
export function hashText(text: string, hash = 0x811c9dc5): number {
  let bits = hash
  for (let at = 0; at < text.length; at++) bits = Math.imul(bits ^ text.charCodeAt(at), 0x01000193)
  return bits
}

/** As people read it in a report: text quoted, the absent as nil. */
export function shown(value: Value | undefined): string {
  if (value === undefined) return '?'
  if (value === null) return 'nil'
  return typeof value === 'string' ? JSON.stringify(value) : String(value)
}
