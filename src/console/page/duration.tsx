/**
 * Durations as people read them. The unit has a place of its own, so that numbers below each other line
 * up whatever their units are.
 */
import type { JSX } from 'preact'

export function Duration({ ms }: { readonly ms: number }): JSX.Element {
  const [number, unit] = parts(ms)
  return (
    <span class="duration">
      {number}
      <span class="unit"> {unit}</span>
    </span>
  )
}

export function duration(ms: number): string {
  return parts(ms).join(' ')
}

function parts(ms: number): readonly [string, string] {
  if (ms < 1_000) return [String(Math.max(0, Math.round(ms))), 'ms']
  if (ms < 9_950) return [(ms / 1_000).toFixed(1), 's']
  const seconds = Math.floor(ms / 1_000)
  if (seconds < 90) return [String(seconds), 's']
  const minutes = Math.floor(seconds / 60)
  return minutes < 90 ? [String(minutes), 'min'] : [String(Math.floor(minutes / 60)), 'h']
}
