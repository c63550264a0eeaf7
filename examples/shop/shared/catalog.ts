/**
 * What the shop sells and for how much. A price never changes, so every service may compute it.
 */
export const skus: readonly string[] = Array.from(
  { length: 100 },
  (_, index) => `sku-${String(index + 1).padStart(3, '0')}`,
)

export const users: readonly string[] = Array.from({ length: 100 }, (_, index) => `u${index + 1}`)

export const openingStock = 1_000
export const openingBalanceCents = 1_000_000

/** 100 to 190 cents a piece. */
export function priceCents(sku: string): number {
  return 100 + (Number(sku.slice(-1)) || 0) * 10
}

export interface Item {
  readonly sku: string
  readonly quantity: number
}

export function totalCents(items: readonly Item[]): number {
  return items.reduce((sum, { sku, quantity }) => sum + priceCents(sku) * quantity, 0)
}
