/**
 * The decision kernel over a `RecordStore`: see `decision-contract.ts` for what it promises. One record
 * per instance holds everything (owner, epoch, state, requests, outcome), so each change is one write by
 * version and no two stores can disagree about who owns what. (docs/decisions/0003)
 */
import { OutcomeUnknownError, outcomeOf } from '../errors.ts'
import { requireInteger, requireText } from '../ports/arguments.ts'
import type { RecordStore, StoredRecord } from '../ports/record-store.ts'
import type { Runtime } from '../runtime/runtime.ts'
import type {
  Claim,
  Decided,
  DecisionOptions,
  Decisions,
  Instance,
  Opened,
  Ownership,
} from './decision-contract.ts'
import { type OwnershipSite, ownershipOf } from './decision-ownership.ts'
import { type DecisionRecord, decodeRecord, type OpenRecord } from './decision-record.ts'
import { persist, type Written, writeRecord } from './decision-write.ts'

const centuryMs = 3_155_760_000_000
const defaultRetainMs = 604_800_000
const requestsMax = 32
/** Rivals for one write each make progress, so losing this often in a row means a broken store. */
const racesMax = 200
/** How long a due instance that this process cannot work on is put off when it blocks the view. */
const postponeMs = 10_000

export function decisions<State, Result>(
  runtime: Runtime,
  records: RecordStore,
  options: DecisionOptions,
): Decisions<State, Result> {
  const { space, retainMs = defaultRetainMs, openRetainMs } = options
  requireText('space', space, 100)
  requireInteger('retainMs', retainMs, 1_000, centuryMs)
  if (openRetainMs !== undefined) requireInteger('openRetainMs', openRetainMs, 1_000, centuryMs)
  const site: OwnershipSite = { runtime, records, space, retainMs, openRetainMs }
  const keptOpen = openRetainMs === undefined ? {} : { expiresInMs: openRetainMs }
  const stamp = (): string => runtime.random.id('decision-stamp')

  async function find(id: string): Promise<Found | undefined> {
    requireText('id', id, 512)
    const stored = await persist(runtime, () => records.get(space, id))
    return stored && { stored, record: decodeRecord(id, stored.value) }
  }

  function write(
    id: string,
    record: DecisionRecord,
    expected: bigint | 'absent',
    dueInMs?: number,
  ): Promise<Written | undefined> {
    const due = dueInMs === undefined ? {} : { dueInMs: Math.max(0, Math.ceil(dueInMs)) }
    const kept = record.status === 'decided' ? { expiresInMs: retainMs } : keptOpen
    return writeRecord(runtime, records, record, { space, key: id, expected, ...due, ...kept })
  }

  /** @returns `undefined` if somebody was faster. */
  async function take(
    id: string,
    from: OpenRecord,
    expected: bigint | 'absent',
    { owner, holdMs }: Claim,
  ): Promise<Ownership<State, Result> | undefined> {
    const record: OpenRecord = { ...from, epoch: from.epoch + 1n, owner, stamp: stamp() }
    const sentAtMs = runtime.clock.monotonicMs()
    const written = await write(id, record, expected, holdMs)
    if (written?.record.status !== 'open') return undefined
    const { version, record: stored } = written
    return ownershipOf<State, Result>(site, { id, record: stored, version, holdMs, sentAtMs })
  }

  /** Reads and decides again until a write is accepted or nothing is to be written. */
  async function settle<T>(
    id: string,
    step: (found: Found | undefined) => Promise<T | undefined>,
  ): Promise<T> {
    for (let race = 0; race < racesMax; race += 1) {
      const answer = await step(await find(id))
      if (answer !== undefined) return answer
    }
    throw new OutcomeUnknownError(`"${id}" changed ${racesMax} times while it was read`)
  }

  async function decideIf(
    id: string,
    outcome: Result,
    when: (instance: Instance<State, Result> | undefined) => boolean,
  ): Promise<Decided<Result> | undefined> {
    const mine = stamp()
    const answer = await settle<Decided<Result> | 'refused'>(id, async (found) => {
      if (found?.record.status === 'decided') {
        return { outcome: found.record.outcome as Result, won: found.record.stamp === mine }
      }
      if (!when(found && instanceOf(id, found))) return 'refused'
      const epoch = found?.record.epoch ?? 0n
      const decided: DecisionRecord = { status: 'decided', epoch, stamp: mine, outcome }
      const written = await write(id, decided, found?.stored.version ?? 'absent')
      return written && { outcome, won: true }
    })
    return answer === 'refused' ? undefined : answer
  }

  const kernel: Decisions<State, Result> = {
    async open(id, state, { claim, dueInMs = 0 } = {}) {
      requireText('id', id, 512)
      if (claim) requireClaim(claim)
      const fresh: OpenRecord = { status: 'open', epoch: 0n, stamp: stamp(), state, requests: [] }
      const create = async (): Promise<Opened<State, Result> | undefined> => {
        if (claim === undefined) {
          const written = await write(id, fresh, 'absent', dueInMs)
          return written && { status: 'created' }
        }
        const ownership = await take(id, fresh, 'absent', claim)
        return ownership && { status: 'created', ownership }
      }
      const created = await create()
      if (created) return created
      return settle<Opened<State, Result>>(id, async (found) =>
        found ? { status: 'found', instance: instanceOf(id, found) } : create(),
      )
    },

    claim(id, claim) {
      requireClaim(claim)
      return settle(id, async (found) => {
        if (found === undefined) return { status: 'absent' }
        const { record, stored } = found
        if (record.status === 'decided') {
          return { status: 'decided', outcome: record.outcome as Result }
        }
        const { dueInMs = 0 } = stored
        if (record.owner !== undefined && dueInMs > 0) {
          return { status: 'held', retryInMs: dueInMs, owner: record.owner }
        }
        const ownership = await take(id, record, stored.version, claim)
        return ownership && { status: 'claimed', ownership }
      })
    },

    async claimDue({ claim, limit, accept = () => true }) {
      requireClaim(claim)
      requireInteger('limit', limit, 1, 1_000)
      const pageSize = Math.min(1_000, limit * 4 + 16)
      const page = await persist(runtime, () => records.due(space, pageSize))
      const claimed: Ownership<State, Result>[] = []
      const passedOver: { id: string; state: State; found: Found; open: OpenRecord }[] = []
      const unreadable: string[] = []
      for (const stored of page) {
        const id = stored.key
        const record = readable(id, stored.value)
        if (record === undefined) unreadable.push(id)
        if (record?.status !== 'open') continue
        const state = record.state as State
        if (!accept(state, id)) {
          passedOver.push({ id, state, found: { stored, record }, open: record })
        } else if (claimed.length < limit) {
          const ownership = await take(id, record, stored.version, claim)
          if (ownership) claimed.push(ownership)
        }
      }
      // Otherwise a crowd that nobody here can serve would hide those that somebody could.
      if (passedOver.length >= pageSize - limit) {
        for (const { id, found, open } of passedOver) {
          await write(id, open, found.stored.version, postponeMs)
        }
      }
      return { claimed, passedOver: passedOver.map(({ id, state }) => ({ id, state })), unreadable }
    },

    request(id, request) {
      requireText('request id', request.id, 200)
      return settle(id, async (found) => {
        if (found === undefined) return 'absent'
        const { record, stored } = found
        if (record.status === 'decided') return 'decided'
        if (record.requests.some((known) => known.id === request.id)) return 'stored'
        if (record.requests.length >= requestsMax) return 'full'
        const dueInMs = record.owner === undefined ? 0 : stored.dueInMs
        const next: OpenRecord = { ...record, requests: [...record.requests, request] }
        const written = await write(id, next, stored.version, dueInMs)
        if (written?.record.status !== 'open') return undefined
        // A request leaves the owner's stamp as it is: after a doubt, the stamp cannot tell ours from another.
        return written.record.requests.some((known) => known.id === request.id)
          ? 'stored'
          : undefined
      })
    },

    async decide(id, outcome) {
      const decided = await decideIf(id, outcome, () => true)
      if (decided === undefined) throw new Error('unreachable: every instance is agreed to')
      return decided
    },
    decideIf,

    async read(id) {
      const found = await find(id)
      return found && instanceOf<State, Result>(id, found)
    },

    async list(page) {
      const stored = await persist(runtime, () => records.list(space, page))
      return stored.map((one) =>
        instanceOf<State, Result>(one.key, {
          stored: one,
          record: decodeRecord(one.key, one.value),
        }),
      )
    },

    watch: (wake) => records.watch(space, wake),
  }
  return kernel
}

function readable(id: string, text: string): DecisionRecord | undefined {
  try {
    return decodeRecord(id, text)
  } catch (error) {
    if (outcomeOf(error) === 'invalid') return undefined
    throw error
  }
}

interface Found {
  readonly stored: StoredRecord
  readonly record: DecisionRecord
}

function instanceOf<State, Result>(id: string, found: Found): Instance<State, Result> {
  const { record, stored } = found
  if (record.status === 'decided') {
    const { epoch, outcome } = record
    return { status: 'decided', id, epoch, outcome: outcome as Result }
  }
  const { stamp: _, state, ...rest } = record
  const due = stored.dueInMs === undefined ? {} : { dueInMs: stored.dueInMs }
  return { ...rest, id, state: state as State, ...due }
}

function requireClaim({ owner, holdMs }: Claim): void {
  requireText('owner', owner, 200)
  requireInteger('holdMs', holdMs, 10, 86_400_000)
}
