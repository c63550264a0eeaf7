/**
 * Putting a backup into a new cluster, by commands: the text comes in pieces, each agreed on like any other
 * command, and the last one puts it in place on all members at once.
 *
 * A backup is the past. Tokens, versions and revisions were given out after it that it knows nothing of, so
 * all counters jump far ahead: whoever holds an old token is refused by whatever remembers a new one. Time
 * goes on from where the backup or this cluster stood, whichever is later. Client sessions stay behind.
 */
import { InvalidArgumentError } from '../../../errors.ts'
import { clientSessions } from '../../../protocols/sessions/sessions.ts'
import type { Keyspace } from './keyspace.ts'
import type { MachineState } from './machine.ts'
import { orderedMap } from './ordered-map.ts'
import { loadTexts } from './snapshot.ts'

/** Part of the state, too: a member may be restarted half-way. */
export interface Restoring {
  readonly id: string
  readonly texts: readonly string[]
}

/** More than a cluster gives out between a backup and its loss. */
export const counterJump: bigint = 2n ** 40n

type Make = (namespace: string) => Keyspace
type RestoreCall = (state: MachineState, make: Make, ...values: never[]) => unknown

export const restoreCalls: Readonly<Record<string, RestoreCall>> = {
  'restore.begin': (state, _, id: string) => {
    requireEmpty(state)
    state.restoring = { id, texts: [] }
  },
  'restore.piece': (state, _, id: string, at: number, text: string) => {
    const { texts } = underWay(state, id)
    if (at !== texts.length) throw new InvalidArgumentError(`piece ${at} after ${texts.length}`)
    state.restoring = { id, texts: [...texts, text] }
  },
  'restore.end': (state, make, id: string) => {
    requireEmpty(state)
    const { texts } = underWay(state, id)
    const restored = blank()
    loadTexts(restored, texts, make)
    state.restoring = undefined
    state.timeMs = Math.max(state.timeMs, restored.timeMs)
    for (const [name, space] of restored.keyspaces.from('')) {
      jump(space)
      state.keyspaces.set(name, space)
    }
    return restored.keyspaces.size
  },
}

function jump(space: Keyspace): void {
  space.loadWrites(space.writes + counterJump)
  const { revision, incarnations, sessions, entries } = space.registry.picture()
  space.registry.load({
    revision: revision + counterJump,
    compacted: revision + counterJump,
    incarnations: incarnations + counterJump,
    sessions: [...sessions],
    entries: [...entries],
    history: [],
  })
}

function requireEmpty({ keyspaces }: MachineState): void {
  if (keyspaces.size === 0) return
  throw new InvalidArgumentError('only a cluster in which nothing was written takes a backup')
}

function underWay({ restoring }: MachineState, id: string): Restoring {
  if (restoring?.id === id) return restoring
  throw new InvalidArgumentError('this restore was not begun, or another one was')
}

function blank(): MachineState {
  return {
    clusterId: '',
    timeMs: 0,
    clockTerm: 0,
    doors: new Map(),
    sessions: clientSessions({ sessionsMax: 0, ttlMs: 0, idleMinMs: 0, openMax: 0 }),
    keyspaces: orderedMap(),
    restoring: undefined,
  }
}
