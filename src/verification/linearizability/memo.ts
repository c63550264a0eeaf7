/**
 * The places where the search has been: which operations were done, and the state they left. To arrive
 * there again by another order is to fail again. A place is found by its hash and then compared in full,
 * so that chance never decides a verdict.
 *
 * The set of done operations is short to write down: all up to the first that is missing, a window of
 * bits as wide as the history is concurrent, and the bits of the open operations.
 */

/** Places that all searches of one judgement may keep together. */
export interface MemoPool {
  left: number
}

export interface DoneSet {
  /** Bits of the completed operations: words before `firstWord` are full, those after `lastWord` empty. */
  readonly words: Int32Array
  firstWord: number
  lastWord: number
  /** Bits of the open operations. */
  readonly openWords: Int32Array
  /** Was the last operation an open one? Then not all that is possible may come next. */
  afterOpen: boolean
  /** Exclusive or of one random-looking number for each operation done (Zobrist, 1970). */
  hash: number
}

export interface Memo<State> {
  /** `full`: the pool is used up and the place was not kept. */
  add(done: DoneSet, state: State, stateHash: number): 'new' | 'known' | 'full'
  readonly size: number
  /** Gives all places back to the pool. */
  clear(): void
}

export function memo<State>(
  equal: (one: State, other: State) => boolean,
  pool: MemoPool,
): Memo<State> {
  let size = 0
  /** Number of a place plus one, at its hash or the next free slot. At most half full. */
  let table = new Int32Array(64)
  let hashes = new Int32Array(32)
  let offsets = new Float64Array(33)
  let words = new Int32Array(128)
  let states: State[] = []

  function same(place: number, done: DoneSet): boolean {
    let at = offsets[place] ?? 0
    const length = done.lastWord - done.firstWord + 1
    if ((offsets[place + 1] ?? 0) - at !== 1 + length + done.openWords.length) return false
    if (words[at++] !== heading(done)) return false
    for (let word = done.firstWord; word <= done.lastWord; word++) {
      if (words[at++] !== done.words[word]) return false
    }
    for (let word = 0; word < done.openWords.length; word++) {
      if (words[at++] !== done.openWords[word]) return false
    }
    return true
  }

  function keep(done: DoneSet): void {
    let at = offsets[size] ?? 0
    const needed = at + 2 + done.lastWord - done.firstWord + done.openWords.length
    if (needed > words.length) words = grown(words, Math.max(needed, words.length * 2))
    words[at++] = heading(done)
    for (let word = done.firstWord; word <= done.lastWord; word++)
      words[at++] = done.words[word] ?? 0
    words.set(done.openWords, at)
    offsets[size + 1] = at + done.openWords.length
  }

  function makeRoom(): void {
    if (size + 1 < hashes.length) return
    hashes = grown(hashes, hashes.length * 2)
    const more = new Float64Array(hashes.length + 1)
    more.set(offsets)
    offsets = more
    table = new Int32Array(hashes.length * 2)
    for (let place = 0; place < size; place++) {
      let slot = (hashes[place] ?? 0) & (table.length - 1)
      while (table[slot] !== 0) slot = (slot + 1) & (table.length - 1)
      table[slot] = place + 1
    }
  }

  return {
    add(done, state, stateHash) {
      const hash = done.hash ^ Math.imul(stateHash, 0x9e3779b1) ^ (stateHash >>> 15)
      let slot = hash & (table.length - 1)
      for (let found = table[slot] ?? 0; found !== 0; found = table[slot] ?? 0) {
        const place = found - 1
        if (hashes[place] === hash && same(place, done) && equal(states[place] as State, state)) {
          return 'known'
        }
        slot = (slot + 1) & (table.length - 1)
      }
      if (pool.left <= 0) return 'full'
      pool.left -= 1
      keep(done)
      hashes[size] = hash
      table[slot] = size + 1
      states.push(state)
      size += 1
      makeRoom()
      return 'new'
    },
    get size() {
      return size
    },
    clear() {
      pool.left += size
      size = 0
      table = new Int32Array(64)
      hashes = new Int32Array(32)
      offsets = new Float64Array(33)
      words = new Int32Array(128)
      states = []
    },
  }
}

function heading(done: DoneSet): number {
  return done.firstWord * 2 + (done.afterOpen ? 1 : 0)
}

function grown(array: Int32Array<ArrayBuffer>, length: number): Int32Array<ArrayBuffer> {
  const more = new Int32Array(length)
  more.set(array)
  return more
}
