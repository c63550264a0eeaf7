/** Code in a world reached the real clock, chance or network past its Runtime: a seed cannot replay it. */
export class RuntimeBypassedError extends Error {
  override readonly name = 'RuntimeBypassedError'
}
