export { decisions } from './decision.ts'
export type {
  Claim,
  ClaimDueOptions,
  Claimed,
  Decided,
  DecisionOptions,
  Decisions,
  DueClaims,
  Instance,
  Opened,
  OpenOptions,
  OwnedUntil,
  Ownership,
} from './decision-contract.ts'
export type { HeldLease, HoldOptions } from './lease.ts'
export { holdLease } from './lease.ts'
export type { HeldLeaseView } from './lease-roster.ts'
export type { Position, PositionOptions, Positions } from './position.ts'
export { positions } from './position.ts'
export type { Tracker, TrackerOptions } from './tracker.ts'
export { tracker } from './tracker.ts'
