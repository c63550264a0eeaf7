/**
 * JSON has no 64-bit integers, so a `bigint` is written as text behind a mark, and a text that looks like a
 * marked one gets a mark of its own. `undefined` in objects is left out, as in JSON.
 */

const mark = '~'

export function markedJson(value: unknown): string {
  // A function that is asked about every part costs more than all the rest, and most texts have no mark.
  if (!needsMarks(value)) return JSON.stringify(value)
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === 'bigint') return `${mark}n${part}`
    return typeof part === 'string' && part.startsWith(mark) ? `${mark}s${part}` : part
  })
}

/** @throws {SyntaxError} not such a text. */
export function unmarkedJson(text: string): unknown {
  if (!text.includes(`"${mark}`)) return JSON.parse(text)
  return JSON.parse(text, (_key, part: unknown) => {
    if (typeof part !== 'string' || !part.startsWith(mark)) return part
    return part[1] === 'n' ? BigInt(part.slice(2)) : part.slice(2)
  })
}

function needsMarks(part: unknown): boolean {
  if (typeof part === 'string') return part.startsWith(mark)
  if (typeof part !== 'object' || part === null) return typeof part === 'bigint'
  if (Array.isArray(part)) return part.some(needsMarks)
  // What turns itself into something else is asked in full.
  if ('toJSON' in part) return true
  for (const key in part) if (needsMarks(part[key as keyof typeof part])) return true
  return false
}
