/**
 * Who decides is itself decided, in a slot like any command, and counts `alpha` slots later. By then every
 * slot in between is chosen, so whoever wants to propose there has learned of it.
 */
import { ConfigurationError } from '../../errors.ts'
import type { Configuration, ConfigurationChange, Refusal } from './contract.ts'
import { quorums } from './quorum.ts'
import { current, type PaxosState } from './state.ts'

const retiredMax = 200

/**
 * The configuration that a change asks for.
 * @throws {ConfigurationError} quorums could miss each other, a member has no address or is named twice,
 * or a name was a member's before: its promises may still count, and its disk has forgotten them.
 */
export function changed(before: Configuration, change: ConfigurationChange): Configuration {
  const { members } = change
  const retired = new Set(before.retired)
  const addresses = { ...before.addresses, ...change.addresses }
  for (const member of members) {
    if (retired.has(member)) refuse(`${member} was a member before; a new one needs a new name`)
    if (addresses[member] === undefined) refuse(`${member} has no address`)
  }
  if (new Set(members).size !== members.length) refuse('a member is named twice')
  const removed = before.members.filter((member) => !members.includes(member))
  return {
    members,
    quorums: quorums(members.length, change.quorums),
    addresses: Object.fromEntries(members.map((member) => [member, addresses[member] ?? ''])),
    retired: [...before.retired, ...removed].slice(-retiredMax),
  }
}

function refuse(message: string): never {
  throw new ConfigurationError(message)
}

export function onChange(state: PaxosState, id: string, change: ConfigurationChange): void {
  const reason = tryChange(state, id, change)
  if (reason !== undefined) state.out.refused.push({ id, reason })
}

function tryChange(
  state: PaxosState,
  id: string,
  change: ConfigurationChange,
): Refusal | undefined {
  const { lead, durable } = state
  if (lead === undefined || !lead.hasWon) return 'not-leader'
  const isOpen = [...lead.votes.keys()].some(
    (slot) => durable.entries.get(slot)?.value.kind === 'configuration',
  )
  const isQueued = lead.queue.some(({ value }) => value.kind === 'configuration')
  // What phase 1 found may be a change, too.
  const mayBeFound = durable.commit < lead.foundTo || durable.commit < lead.floor
  if (isOpen || isQueued || mayBeFound || durable.configurations.length > 1) {
    return 'change-under-way'
  }
  try {
    const configuration = changed(current(state), change)
    lead.queue.push({ id, value: { kind: 'configuration', configuration } })
    return undefined
  } catch (error) {
    if (error instanceof ConfigurationError) return 'invalid-change'
    throw error
  }
}
