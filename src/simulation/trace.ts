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

/** Written over and over: most lines are forgotten before anybody reads them. */
interface Line {
  atUs: number
  owner: string
  kind: string
  text: string
}

interface Kind {
  readonly key: number
  readonly quiet: boolean
}

export function trace(): Trace {
  let left = 0x243f6a88
  let right = 0x85a308d3
  let count = 0
  const ring: Line[] = []
  const kinds = new Map<string, Kind>()

  function keep(atUs: number, owner: string, kind: string, text: string): void {
    const line = ring[count++ % linesMax]
    if (line === undefined) {
      ring.push({ atUs, owner, kind, text })
      return
    }
    line.atUs = atUs
    line.owner = owner
    line.kind = kind
    line.text = text
  }
  function add(first: number, second: number, third: number): void {
    left = mix(left, first ^ second)
    right = mix(right ^ third, left)
  }
  function known(kind: string): Kind {
    let found = kinds.get(kind)
    if (found === undefined) {
      found = { key: hashText(kind), quiet: quietKinds.has(kind) }
      kinds.set(kind, found)
    }
    return found
  }

  return {
    event(atUs, owner, ownerKey, kind, digest) {
      const { key, quiet } = known(kind)
      add(atUs | 0, ownerKey, key ^ digest)
      if (!quiet) keep(atUs, owner, kind, '')
    },
    note(atUs, owner, kind, text) {
      add(atUs | 0, hashText(text), known(kind).key)
      keep(atUs, owner, kind, text)
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
