/**
 * A judge and the definition of what it judges, on many small histories. The definition is written out anew in
 * each test, slowly and plainly, so that both are not wrong in the same way.
 */
import * as fc from 'fast-check'
import { expect } from 'vitest'

/** Both answers were met often enough for the comparison to mean something. */
function balanced(met: { yes: number; no: number }): void {
  expect(Math.min(met.yes, met.no)).toBeGreaterThan(50)
}

/** The judge says violation exactly if the definition does. */
export function compared<History>(
  histories: fc.Arbitrary<History>,
  judge: (history: History) => { readonly verdict: string },
  wrong: (history: History) => boolean,
): void {
  const met = { yes: 0, no: 0 }
  fc.assert(
    fc.property(histories, (history) => {
      const expected = wrong(history)
      met[expected ? 'yes' : 'no'] += 1
      expect(judge(history).verdict === 'violation').toBe(expected)
    }),
    { numRuns: 1_000 },
  )
  balanced(met)
}
