/**
 * JSON has no 64-bit integers, so a `bigint` is written as text behind a mark, and a text that looks like a
 * marked one gets a mark of its own. `undefined` in objects is left out, as in JSON.
 *
 * The parts are looked at here and not by the function that JSON itself would call for each of them, which
 * costs several times as much as all the rest.
 */

const mark = '~'

/** Of plain data. */
export function markedJson(value: unknown): string {
  return JSON.stringify(marked(value))
}

/** @throws {SyntaxError} not such a text. */
export function unmarkedJson(text: string): unknown {
  const value: unknown = JSON.parse(text)
  return text.includes(`"${mark}`) ? unmarked(value) : value
}

function marked(part: unknown): unknown {
  if (typeof part === 'string') return part.startsWith(mark) ? `${mark}s${part}` : part
  if (typeof part === 'bigint') return `${mark}n${part}`
  return withParts(part, marked)
}

function unmarked(part: unknown): unknown {
  if (typeof part !== 'string') return withParts(part, unmarked)
  if (!part.startsWith(mark)) return part
  return part[1] === 'n' ? BigInt(part.slice(2)) : part.slice(2)
}

/** A copy with every part changed; itself if none does. */
function withParts(whole: unknown, change: (part: unknown) => unknown): unknown {
  if (typeof whole !== 'object' || whole === null) return whole
  if (Array.isArray(whole)) {
    let copy: unknown[] | undefined
    for (let at = 0; at < whole.length; at++) {
      const part = change(whole[at])
      if (part === whole[at]) continue
      copy ??= [...whole]
      copy[at] = part
    }
    return copy ?? whole
  }
  let copy: Record<string, unknown> | undefined
  for (const [key, before] of Object.entries(whole)) {
    const part = change(before)
    if (part === before) continue
    copy ??= { ...whole }
    // Even `__proto__` is a key like any other.
    Object.defineProperty(copy, key, { value: part, enumerable: true })
  }
  return copy ?? whole
}
