/**
 * The trace is the proof that a seed replays: a running hash over everything that happened, in two
 * lanes of 32 bits, and the last lines in words for whoever reads a failure.
 */
import { hashText, mix } from './chance.ts'

export interface Trace {
  /** Adds an event to the hash; a quiet event (a timer) leaves no line. */
  event(atUs: number, owner: string, ownerKey: number, kind: string, digest: number): void
  /** Adds a line in words. */
  note(atUs: number, owner: string, kind: string, text: string): void
  /** 16 hex digits over all that was added so far. */
  hash(): string
  lines(): readonly string[]
}

const linesMax = 200
const quietKinds: ReadonlySet<string> = new Set(['timer', 'sql locked', 'sql answered'])

interface Line {
  readonly atUs: number
  readonly owner: string
  readonly kind: string
  readonly text: string
}

export function trace(): Trace {
  let left = 0x243f6a88
  let right = 0x85a308d3
  let count = 0
  const ring: Line[] = []
  const kinds = new Map<string, number>()

  function keep(line: Line): void {
    ring[count++ % linesMax] = line
  }
  function add(first: number, second: number, third: number): void {
    left = mix(left, first ^ second)
    right = mix(right ^ third, left)
  }
  function kindKey(kind: string): number {
    let key = kinds.get(kind)
    if (key === undefined) {
      key = hashText(kind)
      kinds.set(kind, key)
    }
    return key
  }

  return {
    event(atUs, owner, ownerKey, kind, digest) {
      add(atUs | 0, ownerKey, kindKey(kind) ^ digest)
      if (!quietKinds.has(kind)) keep({ atUs, owner, kind, text: '' })
    },
    note(atUs, owner, kind, text) {
      add(atUs | 0, hashText(text), kindKey(kind))
      keep({ atUs, owner, kind, text })
    },
    hash: () => left.toString(16).padStart(8, '0') + right.toString(16).padStart(8, '0'),
    lines() {
      const start = count > linesMax ? count % linesMax : 0
      return [...ring.slice(start), ...ring.slice(0, start)].map(format)
    },
  }
}

function format({ atUs, owner, kind, text }: Line): string {
  const time = (atUs / 1_000).toFixed(3).padStart(12)
  return `${time}  ${owner.padEnd(18)} ${kind}${text === '' ? '' : `  ${text}`}`
}
