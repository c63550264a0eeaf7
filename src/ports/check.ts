/**
 * The few assertions that conformance cases need, without a test runner and without Node, so that the
 * same cases run under vitest, in the simulator and in a browser.
 */
export class CheckFailed extends Error {
  override readonly name = 'CheckFailed'
}

export function check(condition: unknown, claim: string): asserts condition {
  if (!condition) throw new CheckFailed(claim)
}

export function checkEqual(actual: unknown, expected: unknown, claim: string): void {
  if (show(actual) !== show(expected)) {
    throw new CheckFailed(`${claim}: expected ${show(expected)}, got ${show(actual)}`)
  }
}

/** The work must fail with this error class (compared by `code`-bearing name, so copies match). */
export async function checkRejects(
  work: Promise<unknown>,
  expected: { readonly name: string },
  claim: string,
): Promise<void> {
  const failure = await work.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  )
  if (!('error' in failure)) {
    throw new CheckFailed(
      `${claim}: expected ${expected.name}, got the value ${show(failure.value)}`,
    )
  }
  const { error } = failure
  if (error instanceof Error && error.name === expected.name) return
  throw new CheckFailed(`${claim}: expected ${expected.name}, got ${String(error)}`, {
    cause: error,
  })
}

function show(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => {
    if (typeof part === 'bigint') return `${part}n`
    if (part === undefined) return 'undefined'
    if (part instanceof Uint8Array) return `bytes ${Array.from(part).join(',')}`
    if (typeof part === 'object' && part !== null && !Array.isArray(part)) {
      return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
    }
    return part
  })
}
