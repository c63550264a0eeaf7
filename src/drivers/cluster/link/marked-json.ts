/**
 * JSON has no 64-bit integers, so a `bigint` is written as text behind a mark, and a text that looks like a
 * marked one gets a mark of its own. `undefined` in objects is left out, as in JSON.
 */

const mark = '~'

export function markedJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === 'bigint') return `${mark}n${part}`
    return typeof part === 'string' && part.startsWith(mark) ? `${mark}s${part}` : part
  })
}

/** @throws {SyntaxError} not such a text. */
export function unmarkedJson(text: string): unknown {
  // Most texts have no mark, and looking at every part costs more than all the rest.
  if (!text.includes(`"${mark}`)) return JSON.parse(text)
  return JSON.parse(text, (_key, part: unknown) => {
    if (typeof part !== 'string' || !part.startsWith(mark)) return part
    return part[1] === 'n' ? BigInt(part.slice(2)) : part.slice(2)
  })
}
