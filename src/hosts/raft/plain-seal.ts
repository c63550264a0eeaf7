/**
 * No seal at all, for members on one machine that trust each other, and for worlds without strangers.
 */
import { ConfigurationError } from '../../errors.ts'
import type { Seal } from '../seal/seal.ts'

/** For simulated networks, where only members can dial. Never for a real one. */
export const noSeal: Seal = {
  connect: (raw) => Promise.resolve(raw),
  accept: (raw) => Promise.resolve(raw),
}

/** @throws {ConfigurationError} without a secret, members talk over the loopback interface only. */
export function requireLoopback(subject: string, address: string): void {
  if (isLoopback(address)) return
  throw new ConfigurationError(
    `${subject} is "${address}": without a secret only loopback addresses are allowed`,
  )
}

function isLoopback(address: string): boolean {
  const host = address.slice(0, Math.max(0, address.lastIndexOf(':'))).replace(/^\[|\]$/g, '')
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}
