/**
 * "Starts with" as a range, so that an index can answer it. SQLite compares text by its UTF-8 bytes,
 * which is the order of code points; the range ends just before the first text that sorts after
 * everything with the prefix.
 */
import type { SqlValue } from '../../runtime/sql.ts'

export interface KeyRange {
  /** Inclusive. */
  readonly from: SqlValue
  /** Exclusive. */
  readonly before: SqlValue
}

const codePointMax = 0x10ffff

// Every text sorts before every blob: the end of a range that has none.
const afterAllText = new Uint8Array(0)

export function keyRange(prefix: string): KeyRange {
  const points = Array.from(prefix, (character) => character.codePointAt(0) ?? 0)
  while (points.at(-1) === codePointMax) points.pop()
  const last = points.pop()
  if (last === undefined) return { from: prefix, before: afterAllText }
  // Surrogates are not code points of any valid text, so the order steps over them.
  const next = last === 0xd7ff ? 0xe000 : last + 1
  return { from: prefix, before: String.fromCodePoint(...points, next) }
}
