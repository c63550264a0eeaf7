/**
 * Open operations that ask for the very same thing are twins: wherever the one called later may stand, the earlier
 * one may stand as well. So the later is tried only once the earlier has its place, which saves the search
 * from trying every choice among them.
 */

/** Of each input, the place of the last one before it that is the same; -1 if there is none. */
export function twins(inputs: readonly unknown[]): Int32Array {
  const last = new Map<string, number>()
  return Int32Array.from(inputs, (input, place) => {
    const name = nameOf(input)
    if (name === undefined) return -1
    const before = last.get(name) ?? -1
    last.set(name, place)
    return before
  })
}

/** Equal for equal inputs only. `undefined`: no plain data, so nothing can be said. */
function nameOf(input: unknown): string | undefined {
  if (typeof input === 'function' || typeof input === 'symbol') return undefined
  if (typeof input !== 'object' || input === null) {
    const text = Object.is(input, -0) ? '-0' : String(input)
    return `${typeof input} ${text.length} ${text}`
  }
  if (Object.getPrototypeOf(input) !== Object.prototype) return undefined
  let name = '{'
  for (const [key, value] of Object.entries(input)) {
    const part = nameOf(value)
    if (part === undefined) return undefined
    name += `${key.length} ${key} ${part},`
  }
  return `${name}}`
}
