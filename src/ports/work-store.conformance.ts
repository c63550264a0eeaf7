/**
 * What every WorkStore must do, as cases. Grouped by the question: who has the message now (delivery),
 * what comes next (order), what is kept and what is refused (limits), and what becomes of the dead.
 */
import type { ConformanceCase } from './conformance.ts'
import { workDeliveryCases } from './work-delivery.conformance.ts'
import { workLetterCases } from './work-letters.conformance.ts'
import { workLimitCases } from './work-limits.conformance.ts'
import { workOrderCases } from './work-order.conformance.ts'
import type { WorkStore } from './work-store.ts'

export const workStoreConformance: readonly ConformanceCase<WorkStore>[] = [
  ...workDeliveryCases,
  ...workOrderCases,
  ...workLimitCases,
  ...workLetterCases,
]
