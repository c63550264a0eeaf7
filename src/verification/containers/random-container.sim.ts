/**
 * Random histories of queues and stacks whose values are all different: most answers come from a true object,
 * some are drawn blindly, some calls never hear an answer. Used to set the judge without a search beside the search.
 */
import type { Operation, Value } from '../history.ts'
import { mixed } from '../linearizability/model.ts'

export interface ContainerShape {
  readonly seed: number
  readonly operations: number
  readonly clients: number
  /** Of a hundred answers, so many are drawn blindly. */
  readonly wrongPercent: number
  /** Of a hundred calls, so many stay open. */
  readonly openPercent: number
  /** How long calls last at most; the longer, the more overlap. */
  readonly lastsMax: number
}

export type ContainerCall = { readonly put: number } | 'take'

export function drawing(seed: number): (below: number) => number {
  let count = 0
  return (below) => {
    count += 1
    return (mixed(Math.imul(seed, 0x9e3779b1) + count) >>> 0) % below
  }
}

/** Half of the calls put, half take. */
export function containerHistory(
  { seed, operations, clients, wrongPercent, openPercent, lastsMax }: ContainerShape,
  kind: 'queue' | 'stack',
): Operation<ContainerCall, Value>[] {
  const draw = drawing(seed)
  const freeAt = Array.from({ length: clients }, () => 0)
  const calls = Array.from({ length: operations }, (_, index) => {
    const client = draw(clients)
    const calledAt = (freeAt[client] ?? 0) + draw(3)
    const effectAt = calledAt + draw(lastsMax + 1)
    const returnedAt = effectAt + draw(lastsMax + 1)
    freeAt[client] = returnedAt + 1
    return { client, calledAt, effectAt, returnedAt, index, puts: draw(2) === 0 }
  }).sort((a, b) => a.effectAt - b.effectAt || a.index - b.index)
  const held: number[] = []
  return calls.map(({ client: process, calledAt, returnedAt, index, puts }) => {
    const open = draw(100) < openPercent
    const happens = !open || draw(2) === 0
    const end = open ? Number.POSITIVE_INFINITY : returnedAt
    if (puts) {
      if (happens) held.push(index)
      return { process, input: { put: index }, calledAt, returnedAt: end }
    }
    const taken = happens ? (kind === 'queue' ? held.shift() : held.pop()) : undefined
    const call = { process, input: 'take' as const, calledAt, returnedAt: end }
    if (open) return call
    const blind = draw(100) < wrongPercent
    const guess = draw(operations + 1)
    return { ...call, output: blind ? (guess === operations ? null : guess) : (taken ?? null) }
  })
}
