/**
 * A bug to be planted on purpose, so that everyone can see the invariants turn red:
 * `HOLDFAST_SHOP_BUG=lost-compensation npm start`, then order for a user who
 * has no account, so that what was reserved must be given back.
 */
import type { ShopContext } from './shop-node.ts'

export function planted(
  bug: 'lost-compensation',
  environment: ShopContext['environment'] = {},
): boolean {
  return environment.HOLDFAST_SHOP_BUG === bug
}
