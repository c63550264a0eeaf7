/**
 * When was the container surely not empty? Between the end of a put and the begin of the take of the same value,
 * both ends excluded: at the very ends either may come first. A visit that found nothing must have an instant
 * that is in no such time.
 */
import type { Stay } from './stays.ts'

export interface Occupied {
  /** The first instant, not before this one, at which the container may have been empty. */
  freeFrom(time: number): number
}

export function occupied(stays: readonly Stay[]): Occupied {
  const inOrder = stays
    .filter(({ putUntil, takeFrom }) => putUntil < takeFrom)
    .sort((a, b) => (a.putUntil < b.putUntil ? -1 : 1))
  const starts: number[] = []
  const ends: number[] = []
  for (const { putUntil, takeFrom } of inOrder) {
    const last = ends.length - 1
    // Two times that only touch leave the instant between them free.
    if (last >= 0 && putUntil < (ends[last] ?? 0)) ends[last] = Math.max(ends[last] ?? 0, takeFrom)
    else {
      starts.push(putUntil)
      ends.push(takeFrom)
    }
  }
  return {
    freeFrom(time) {
      let low = 0
      let high = starts.length
      while (low < high) {
        const middle = (low + high) >> 1
        if ((starts[middle] ?? 0) < time) low = middle + 1
        else high = middle
      }
      const end = ends[low - 1]
      return end !== undefined && end > time ? end : time
    },
  }
}
