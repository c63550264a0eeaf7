/**
 * The plan of a seed: which faults strike when, drawn up front as data, so that it can be shrunk, saved
 * and replayed. Each seed leaves some kinds out entirely (swarm testing).
 */
import type { Fault, FaultKind } from './world.ts'

export const faultKinds: readonly FaultKind[] = [
  'kill',
  'machine-crash',
  'pause',
  'partition',
  'one-way-partition',
  'stream-break',
  'datagram-loss',
  'hint-loss',
  'slow-network',
  'slow-disk',
  'wall-clock-step',
  'wall-clock-drift',
]

export interface PlanOptions {
  readonly kinds: readonly FaultKind[]
  readonly faultsMax: number
  readonly durationMs: number
}

export function planFaults(_seed: number, options: PlanOptions): readonly Fault[] {
  if (options.kinds.length === 0) return []
  return []
}
