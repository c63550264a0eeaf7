/** Lines of a file that comes in pieces, each of bounded length. */
import { HistoryFormatError } from './history-format-error.ts'

export interface Line {
  /** From 1. */
  readonly line: number
  readonly text: string
}

const lineMax = 1 << 20

/** Empty lines are left out. @throws HistoryFormatError a line longer than a million characters */
export function* readLines(chunks: Iterable<string>): Generator<Line, void, undefined> {
  let rest = ''
  let line = 0
  for (const chunk of chunks) {
    const pieces = (rest + chunk).split('\n')
    rest = pieces.pop() ?? ''
    if (rest.length > lineMax) throw new HistoryFormatError(line + 1, 'a line is too long')
    for (const piece of pieces) {
      line += 1
      const text = piece.endsWith('\r') ? piece.slice(0, -1) : piece
      if (text.trim() !== '') yield { line, text }
    }
  }
  if (rest.trim() !== '') yield { line: line + 1, text: rest }
}
