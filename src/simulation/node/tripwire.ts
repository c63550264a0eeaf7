/**
 * While events of a world run, the real clock, chance and timers must not be reached by any other way
 * than Runtime: whoever tries is told so at once, with a stack that names him. Errors that nobody
 * caught go to the world instead of ending the process.
 */

/** Enters the world. @returns leaves it again, with everything as it was. */
export function enterWorld(unhandled: (error: unknown) => void): () => void {
  const rejections = process.listeners('unhandledRejection')
  const exceptions = process.listeners('uncaughtException')
  process.removeAllListeners('unhandledRejection')
  process.removeAllListeners('uncaughtException')
  process.on('unhandledRejection', unhandled)
  process.on('uncaughtException', unhandled)
  return () => {
    process.removeListener('unhandledRejection', unhandled)
    process.removeListener('uncaughtException', unhandled)
    for (const listener of rejections) process.on('unhandledRejection', listener)
    for (const listener of exceptions) process.on('uncaughtException', listener)
  }
}
