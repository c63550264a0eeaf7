/**
 * The position kernel: a bookmark in an ordered history. It is moved only after what it passes is durable
 * elsewhere, so a crash in between makes the effect happen again, and never makes it be skipped. Do the
 * effect in a way that bears repeating, or store it together with the item's number.
 *
 * A bookmark can change hands. Whoever claims it gets a generation larger than all before; from then on
 * the bookmark does not move for the old owner, whatever it believes. Within a generation it never goes
 * back. Going back on purpose is `rewind`, which takes a reason and starts a generation of its own, so
 * that no advance still on its way can undo it.
 *
 * Promised: `value` is durable as the store says, and every `advance` that returned true happened at a
 * moment at which no newer generation existed. Not promised: that the old owner stops working: its effects
 * may overlap the new owner's. Send `generation` with each effect if the receiver can refuse old ones.
 */
import {
  CorruptDataError,
  FormatTooNewError,
  InvalidArgumentError,
  isHoldfastError,
  outcomeOf,
  UnavailableError,
} from '../errors.ts'
import { requireText } from '../ports/arguments.ts'
import type { RecordStore } from '../ports/record-store.ts'

export interface PositionOptions {
  /** Where the bookmarks are kept in the record store, 1 to 100 characters. Default `position`. */
  readonly space?: string
}

export interface Positions {
  /**
   * Reads the bookmark without claiming it; one never moved is at 0. Those who opened the same
   * generation share it: the furthest of them wins.
   */
  open(name: string): Promise<Position>
  /**
   * Takes the bookmark over: nobody who opened or claimed it before can move it any more.
   * @param owner for people, 1 to 200 characters.
   * @throws {OutcomeUnknownError} it may have been taken over by us. Claim again: a wasted generation
   * does no harm.
   */
  claim(name: string, owner: string): Promise<Position>
}

export interface Position {
  readonly name: string
  /** All items up to and including this one are done. 0 to 2^63 - 1; as last read or moved. */
  readonly value: bigint
  /** Grows with each claim and each rewind. 0 while nobody ever claimed it. */
  readonly generation: bigint
  /**
   * Moves the bookmark to `to`, once everything up to `to` is durable. A bookmark already there or
   * beyond stays, and that is `true` too.
   * @returns `false`: a newer generation owns it. Stop.
   * @throws {OutcomeUnknownError} it may have moved. Advance again; repeating is safe.
   */
  advance(to: bigint): Promise<boolean>
  /**
   * Puts the bookmark anywhere, usually back, and begins a new generation, which is this object's.
   * @param reason for people, stored beside the bookmark; 1 to 500 characters.
   * @returns `false`: a newer generation owns it, nothing changed.
   * @throws {OutcomeUnknownError} it may have been rewound. Open it again and look.
   */
  rewind(to: bigint, reason: string): Promise<boolean>
}

interface Stored {
  readonly value: bigint
  readonly generation: bigint
  readonly owner: string
  readonly rewound?: { readonly from: string; readonly reason: string } | undefined
}

interface Seen extends Stored {
  readonly version: bigint | 'absent'
}

const formatVersion = 1

/** Writes by others that one call may meet before it gives up: each means that somebody else got on. */
const conflictsMax = 100

export function positions(records: RecordStore, options: PositionOptions = {}): Positions {
  const { space = 'position' } = options
  requireText('space', space, 100)

  async function read(name: string): Promise<Seen> {
    requireText('name', name, 512)
    const record = await records.get(space, name)
    if (record === undefined) return { value: 0n, generation: 0n, owner: '', version: 'absent' }
    return { ...decode(record.value, name), version: record.version }
  }

  /** @returns what is stored now, or `undefined` on conflict. */
  async function write(name: string, seen: Seen, next: Stored): Promise<Seen | undefined> {
    const value = encode(next)
    const version = await records.put({ space, key: name, value, expected: seen.version })
    return version === undefined ? undefined : { ...next, version }
  }

  function position(name: string, first: Seen): Position {
    let seen = first

    async function advance(to: bigint): Promise<boolean> {
      // Held apart from `seen`, which a rewind may move to a new generation meanwhile.
      let now = seen
      const { generation } = now
      for (let conflicts = 0; conflicts < conflictsMax; conflicts += 1) {
        if (to <= now.value) return true
        const written = await write(name, now, { ...now, value: to }).catch(unknownAsConflict)
        if (written !== undefined) return adopt(written)
        now = await read(name)
        if (now.generation !== generation) return false
        adopt(now)
      }
      throw crowded(name)
    }

    async function rewind(to: bigint, reason: string): Promise<boolean> {
      let now = seen
      const { generation, owner } = now
      for (let conflicts = 0; conflicts < conflictsMax; conflicts += 1) {
        const rewound = { from: String(now.value), reason }
        const next = { value: to, generation: generation + 1n, owner, rewound }
        const written = await write(name, now, next)
        if (written !== undefined) return adopt(written)
        now = await read(name)
        if (now.generation !== generation) return false
      }
      throw crowded(name)
    }

    /** Answers of calls that overlapped may come in any order: keep the newest. */
    function adopt(now: Seen): true {
      if (seen.version === 'absent' || BigInt(now.version) > seen.version) seen = now
      return true
    }

    return {
      name,
      get value() {
        return seen.value
      },
      get generation() {
        return seen.generation
      },
      async advance(to) {
        requireItem('to', to)
        return advance(to)
      },
      async rewind(to, reason) {
        requireItem('to', to)
        requireText('reason', reason, 500)
        return rewind(to, reason)
      },
    }
  }

  return {
    async open(name) {
      return position(name, await read(name))
    },
    async claim(name, owner) {
      requireText('owner', owner, 200)
      for (let conflicts = 0; conflicts < conflictsMax; conflicts += 1) {
        const seen = await read(name)
        const next = { ...seen, generation: seen.generation + 1n, owner }
        // An unknown claim is claimed over: its late write, if it comes, meets another version.
        const written = await write(name, seen, next).catch(unknownAsConflict)
        if (written !== undefined) return position(name, written)
      }
      throw crowded(name)
    },
  }
}

function crowded(name: string): UnavailableError {
  return new UnavailableError(`position "${name}" is written too often by others`)
}

function requireItem(subject: string, item: bigint): void {
  if (typeof item === 'bigint' && item >= 0n && item < 2n ** 63n) return
  throw new InvalidArgumentError(`${subject} is ${item}; expected a bigint from 0 to 2^63 - 1`)
}

/** Both ask for the same cure: read again and decide again. If reading fails too, that is thrown. */
function unknownAsConflict(error: unknown): undefined {
  if (isHoldfastError(error) && outcomeOf(error) === 'unknown') return undefined
  throw error
}

function encode({ value, generation, owner, rewound }: Stored): string {
  return JSON.stringify({
    v: formatVersion,
    value: String(value),
    generation: String(generation),
    owner,
    rewound,
  })
}

function decode(text: string, name: string): Stored {
  const { v, value, generation, owner, rewound } = JSON.parse(text)
  if (v > formatVersion) throw new FormatTooNewError(`position "${name}" has format ${v}`)
  if (v !== formatVersion || !/^\d+$/.test(value) || !/^\d+$/.test(generation)) {
    throw new CorruptDataError(`position "${name}" cannot be read: ${text.slice(0, 200)}`)
  }
  return { value: BigInt(value), generation: BigInt(generation), owner: String(owner), rewound }
}
