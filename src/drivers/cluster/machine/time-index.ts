/**
 * What ends or comes due when, in order of time and then of name. Every name stands in it at most once, so
 * that renewing a thing a thousand times leaves one place, not a thousand.
 */
import { type OrderedMap, orderedMap } from './ordered-map.ts'

export interface TimeIndex {
  /** Moves the name to this time; `undefined` takes it out. Whole milliseconds, 0 or more. */
  put(name: string, atMs: number | undefined): void
  /** The earliest time. */
  firstMs(): number | undefined
  /** Names whose time has come, earliest first, ties by name. The index must not change meanwhile. */
  until(nowMs: number): IterableIterator<string>
  /** The earliest time after this one. */
  nextAfter(nowMs: number): number | undefined
  clear(): void
}

interface Moment {
  readonly name: string
  readonly atMs: number
}

export function timeIndex(): TimeIndex {
  const byTime: OrderedMap<Moment> = orderedMap()
  const timeOf = new Map<string, number>()

  return {
    put(name, atMs) {
      const before = timeOf.get(name)
      if (before === atMs) return
      if (before !== undefined) byTime.delete(placeOf(before) + name)
      if (atMs === undefined) {
        timeOf.delete(name)
        return
      }
      timeOf.set(name, atMs)
      byTime.set(placeOf(atMs) + name, { name, atMs })
    },
    firstMs: () => byTime.first()?.[1].atMs,
    *until(nowMs) {
      for (const [, { name, atMs }] of byTime.from('')) {
        if (atMs > nowMs) return
        yield name
      }
    },
    nextAfter(nowMs) {
      for (const [, { atMs }] of byTime.from(placeOf(Math.floor(nowMs) + 1))) return atMs
      return undefined
    },
    clear() {
      byTime.clear()
      timeOf.clear()
    },
  }
}

/** So that the order of texts is that of numbers. */
function placeOf(atMs: number): string {
  return String(Math.ceil(atMs)).padStart(16, '0')
}
