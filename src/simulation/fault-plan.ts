/**
 * The plan of a seed: which faults strike when, drawn up front as data, so that it can be shrunk, saved
 * and replayed. Each seed leaves some kinds out entirely, has few or many, and bunches them early or
 * spreads them out (swarm testing): a bug that needs ten kills and nothing else gets its chance too.
 */
import { type Draws, drawsOf, hashText, mix, seedKey } from './chance.ts'
import type { Fault, FaultKind } from './world.ts'

/** What `'all'` means: the kinds that every correct program survives, in the order of drawing. */
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
  'torn-write',
  'disk-full',
  'sync-failure',
  'half-open',
  'datagram-disorder',
  'monotonic-drift',
  'wall-clock-freeze',
]

/** Kinds that only programs made for them survive: asked for by name. */
export const optionalFaultKinds: readonly FaultKind[] = ['suspend', 'machine-loss', 'bit-rot']

export interface PlanOptions {
  readonly kinds: readonly FaultKind[]
  readonly faultsMax: number
  readonly durationMs: number
}

export function planFaults(seed: number, options: PlanOptions): readonly Fault[] {
  const { faultsMax, durationMs } = options
  if (options.kinds.length === 0 || faultsMax === 0) return []
  const key = mix(seedKey(seed), hashText('fault plan'))
  const draws = drawsOf(key)
  const awake = options.kinds.filter(() => draws.happens(0.6))
  const kinds = awake.length > 0 ? awake : [draws.pick(options.kinds)]
  // A seed counts only if three faults hit something, and not every one finds its target.
  const drawn = 1 + draws.below(draws.happens(0.5) ? faultsMax : Math.ceil(faultsMax / 4))
  const count = Math.max(drawn, Math.min(faultsMax, 4))
  const horizonMs = durationMs / draws.pick([1, 1, 4, 16, 64])
  const faults: Fault[] = []
  for (let index = 0; index < count; index++) {
    faults.push(drawFault(`f${index}`, kinds, horizonMs, durationMs, drawsOf(mix(key, index + 1))))
  }
  return faults.sort((left, right) => left.atMs - right.atMs)
}

// Lasting for a blink, and for longer than any lease, are both worth trying.
const lengthsMs = [5, 20, 100, 300, 1_000, 2_000, 4_000, 8_000, 15_000, 35_000] as const

function drawFault(
  id: string,
  kinds: readonly FaultKind[],
  horizonMs: number,
  durationMs: number,
  draws: Draws,
): Fault {
  const kind = draws.pick(kinds)
  const lengthMs = draws.pick(lengthsMs) * (0.5 + draws.below(1_000) / 1_000)
  return {
    id,
    kind,
    atMs: Math.floor(draws.below(1_000_000) * (horizonMs / 1_000)) / 1_000,
    durationMs: Math.ceil(Math.min(lengthMs, durationMs / 2)),
    target: `any:${draws.word()}`,
    ...amountOf(kind, draws),
  }
}

function amountOf(kind: FaultKind, draws: Draws): { readonly amount?: number } {
  switch (kind) {
    case 'partition':
    case 'one-way-partition':
      // 1: one machine loses all others. 0: two machines lose each other.
      return { amount: draws.below(2) }
    case 'stream-break':
      return { amount: draws.pick([0.2, 0.5, 1]) }
    case 'datagram-loss':
      return { amount: draws.pick([0.02, 0.1, 0.3, 0.6]) }
    case 'hint-loss':
      return { amount: draws.pick([0.1, 0.5, 1]) }
    case 'slow-network':
      return { amount: draws.pick([5, 50, 250, 1_000]) }
    case 'slow-disk':
      return { amount: draws.pick([5, 30, 200]) }
    case 'wall-clock-step':
      return { amount: draws.pick([-86_400_000, -60_000, -1_000, 1_000, 60_000, 3_600_000]) }
    case 'wall-clock-drift':
      return { amount: draws.pick([-100_000, -1_000, 1_000, 100_000]) }
    case 'disk-full':
    case 'sync-failure':
      return { amount: draws.pick([0.1, 0.5, 1]) }
    case 'half-open':
      return { amount: draws.pick([0.2, 0.5, 1]) }
    case 'datagram-disorder':
      return { amount: draws.pick([0.05, 0.3, 0.8]) }
    case 'monotonic-drift':
      // Two clocks that part by half a percent each still leave the holder of a lease the first to know.
      return { amount: draws.pick([-5_000, -500, 500, 5_000]) }
    default:
      return {}
  }
}
