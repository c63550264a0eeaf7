/**
 * Simple models hold simple values. A structured one is put in as its text, written in one way only: equal
 * values become equal texts, whatever the order in which a map or a set was written.
 */
import type { Value } from '../history.ts'
import type { EdnValue } from './edn.ts'

export function simple(value: EdnValue): Value {
  return typeof value === 'object' || typeof value === 'symbol'
    ? value === null
      ? null
      : canonical(value)
    : value
}

/** Text of a value. A text stands for itself, so `"1"` and `1` are alike: for keys. */
export function canonical(value: EdnValue): string {
  return typeof value === 'string' ? value : written(value)
}

function written(value: EdnValue): string {
  if (value === null) return 'nil'
  if (typeof value === 'symbol') return `:${Symbol.keyFor(value) ?? ''}`
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value !== 'object') return String(value)
  if (Array.isArray(value)) return `[${value.map(written).join(' ')}]`
  if (value instanceof Set) return `#{${Array.from(value, written).sort().join(' ')}}`
  const pairs =
    value instanceof Map ? Array.from(value, ([a, b]) => `${written(a)} ${written(b)}`) : []
  return `{${pairs.sort().join(', ')}}`
}
