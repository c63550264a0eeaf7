/**
 * A bug to be planted on purpose, so that everyone can see the invariants turn red:
 * `HOLDFAST_SHOP_BUG=lost-compensation npm start`, then order more than there is.
 */
import type { ShopContext } from './shop-node.ts'

export function planted(
  bug: 'lost-compensation',
  environment: ShopContext['environment'] = {},
): boolean {
  return environment.HOLDFAST_SHOP_BUG === bug
}
