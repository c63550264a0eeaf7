/**
 * A recorded history that cannot be read. A judge never guesses: one wrong line ends the reading, and the
 * error says which. Judges import nothing, so this is not one of Holdfast's own errors.
 */
export class HistoryFormatError extends Error {
  /** From 1. */
  readonly line: number

  constructor(line: number, problem: string) {
    super(`line ${line}: ${problem}`)
    this.name = 'HistoryFormatError'
    this.line = line
  }
}
