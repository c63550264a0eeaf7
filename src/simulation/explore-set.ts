/**
 * The states an exploration has seen, 16 bytes each whatever their size: two 32-bit hashes of the key,
 * the state it was reached from, and the name of the action. The way back gives the path.
 */
import { mix } from './chance.ts'

export interface StateSet {
  readonly size: number
  /** @returns `false` if the key was known. The first state has `parent` -1. */
  add(key: string, parent: number, action: number): boolean
  /** The actions on the way from the first state to the state with this number. */
  path(state: number): readonly number[]
}

interface Columns {
  readonly low: Uint32Array
  readonly high: Uint32Array
  readonly parent: Int32Array
  readonly action: Uint32Array
}

export function stateSet(): StateSet {
  let columns = columnsOf(1_024)
  // Open addressing: numbers of states plus one, 0 for an empty place; at most half full.
  let places = new Uint32Array(4_096)
  let size = 0

  /** The place of this hash, or the empty one where it belongs. */
  function placeOf(low: number, high: number): number {
    const mask = places.length - 1
    for (let place = low & mask; ; place = (place + 1) & mask) {
      const state = (places[place] ?? 0) - 1
      if (state < 0 || (columns.low[state] === low && columns.high[state] === high)) return place
    }
  }

  function grow(): void {
    const larger = columnsOf(columns.low.length * 2)
    larger.low.set(columns.low)
    larger.high.set(columns.high)
    larger.parent.set(columns.parent)
    larger.action.set(columns.action)
    columns = larger
    places = new Uint32Array(larger.low.length * 4)
    for (let state = 0; state < size; state++) {
      places[placeOf(columns.low[state] ?? 0, columns.high[state] ?? 0)] = state + 1
    }
  }

  return {
    get size() {
      return size
    },
    add(key, parent, action) {
      if (size === columns.low.length) grow()
      const [low, high] = hash64(key)
      const place = placeOf(low, high)
      if (places[place] !== 0) return false
      columns.low[size] = low
      columns.high[size] = high
      columns.parent[size] = parent
      columns.action[size] = action
      places[place] = ++size
      return true
    },
    path(state) {
      const back: number[] = []
      for (let at = state; at > 0; at = columns.parent[at] ?? 0) back.push(columns.action[at] ?? 0)
      return back.reverse()
    },
  }
}

function columnsOf(length: number): Columns {
  const words = (): Uint32Array => new Uint32Array(length)
  return { low: words(), high: words(), parent: new Int32Array(length), action: words() }
}

/** Two lanes of MurmurHash3's round with different constants, one UTF-16 unit at a time. */
function hash64(key: string): readonly [number, number] {
  let low = 0x9747b28c
  let high = 0x3c6ef372
  for (let index = 0; index < key.length; index++) {
    const unit = key.charCodeAt(index) + 1
    low ^= Math.imul(unit, 0xcc9e2d51)
    low = (Math.imul((low << 13) | (low >>> 19), 5) + 0xe6546b64) | 0
    high ^= Math.imul(unit, 0x1b873593)
    high = (Math.imul((high << 17) | (high >>> 15), 0x2c1b3c6d) + 0x297a2d39) | 0
  }
  return [mix(low, key.length), mix(high, key.length)]
}
