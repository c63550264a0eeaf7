/**
 * The lease contract as cases. Handover is the dangerous moment, so most of them are about what an old
 * holder, a repeated call or a dead waiter could still do.
 */
import type { ConformanceCase } from './conformance.ts'
import type { LeaseStore } from './lease-store.ts'
import { leaseHoldingCases } from './lease-store-holding.conformance.ts'
import { leaseInputCases } from './lease-store-input.conformance.ts'
import { leaseWaitingCases } from './lease-store-waiting.conformance.ts'

export const leaseStoreConformance: readonly ConformanceCase<LeaseStore>[] = [
  ...leaseHoldingCases,
  ...leaseWaitingCases,
  ...leaseInputCases,
]
