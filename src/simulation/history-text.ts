/**
 * A value in a few words, for traces and pictures. It must never be the reason why a run fails, and it
 * must be the same on every machine.
 */

const lengthMax = 160

export function shortText(value: unknown): string {
  const text = typeof value === 'string' ? value : (json(value) ?? String(value))
  return text.length > lengthMax ? `${text.slice(0, lengthMax - 1)}…` : text
}

function json(value: unknown): string | undefined {
  try {
    return JSON.stringify(value, plain)
  } catch {
    return Object.prototype.toString.call(value)
  }
}

const plain = (_key: string, value: unknown): unknown =>
  typeof value === 'bigint' ? `${value}n` : value
