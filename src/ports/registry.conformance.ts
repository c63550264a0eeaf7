/**
 * The registry contract as cases: who owns an entry, when it ends, and what a watcher learns.
 */
import type { ConformanceCase } from './conformance.ts'
import type { Registry } from './registry.ts'
import { registrySessionCases } from './registry-session.conformance.ts'
import { registryWatchCases } from './registry-watch.conformance.ts'

export const registryConformance: readonly ConformanceCase<Registry>[] = [
  ...registrySessionCases,
  ...registryWatchCases,
]
