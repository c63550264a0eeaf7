/** A file, or what is piped in, as text in pieces: never all of it in memory. */
import { closeSync, openSync, readSync } from 'node:fs'

const chunkBytes = 1 << 18

/** @param path `-` is the standard input. @throws an error of the file system; TypeError if not UTF-8 */
export function* textOf(path: string): Generator<string, void, undefined> {
  const file = path === '-' ? 0 : openSync(path, 'r')
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const bytes = new Uint8Array(chunkBytes)
  try {
    for (let read = readSync(file, bytes); read > 0; read = readSync(file, bytes)) {
      yield decoder.decode(bytes.subarray(0, read), { stream: true })
    }
    yield decoder.decode()
  } finally {
    if (path !== '-') closeSync(file)
  }
}

/** The first piece, to look at, and all pieces, the first one among them. */
export function withStart(chunks: Generator<string, void, undefined>): {
  readonly start: string
  readonly all: Iterable<string>
} {
  const first = chunks.next()
  const start = first.done === true ? '' : first.value
  function* all(): Generator<string, void, undefined> {
    yield start
    yield* chunks
  }
  return { start, all: all() }
}
