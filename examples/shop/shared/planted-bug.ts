/**
 * A bug to be planted on purpose, so that everyone can see the invariants turn red:
 * `HOLDFAST_SHOP_BUG=lost-compensation npm start`, then order more than there is.
 */
export function planted(bug: 'lost-compensation'): boolean {
  return process.env.HOLDFAST_SHOP_BUG === bug
}
