/** One lock without tokens: taken, then given back. Who does it is not asked, as a mutex of this kind does not know. */
import type { Model } from '../linearizability/model.ts'

export interface MutexInput {
  readonly type: 'acquire' | 'release'
}

/** Of an acquire, false: it was refused, so it was held. Of a release, anything. */
export type MutexOutput = boolean

export function mutex(): Model<boolean, MutexInput, MutexOutput> {
  return {
    name: 'mutex',
    initial: false,
    step(held, { type }, output) {
      if (type === 'acquire' && output === false) return held ? held : undefined
      return held === (type === 'release') ? !held : undefined
    },
    reads: ({ type }, output) => type === 'acquire' && output === false,
    equal: Object.is,
    hash: (held) => (held ? 1 : 0),
    describe: ({ type }, output) => (output === false ? `${type} → refused` : type),
  }
}
