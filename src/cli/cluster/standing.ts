/**
 * Where a cluster stands, put together from what its members say of themselves: each knows its own place for
 * sure, and of the others only what it last heard. Who is a member is what the newest term says.
 */
import type { MemberStatus } from '../../drivers/cluster/index.ts'

export interface Standing {
  readonly leader: string | undefined
  readonly term: number
  readonly clusterIncarnation: string
  readonly members: readonly MemberStanding[]
}

export interface MemberStanding {
  readonly address: string
  /** `undefined`: it does not answer, and nobody who does knows it by this address. */
  readonly id: string | undefined
  readonly answers: boolean
  /** `voter`, `learner`, or `none` if it is not a member (yet, or any more). */
  readonly membership: 'voter' | 'learner' | 'none'
  readonly role?: string
  readonly term?: number
  readonly commit?: number
  readonly applied?: number
  /** Entries behind the leader. */
  readonly lag?: number
  readonly snapshotIndex?: number
  readonly logBytes?: number
}

export function standingOf(statuses: readonly MemberStatus[]): Standing {
  const reports = statuses.flatMap(({ report }) => report ?? [])
  const newest = [...reports].sort(
    (left, right) =>
      right.raft.term - left.raft.term ||
      Number(right.raft.role === 'leader') - Number(left.raft.role === 'leader'),
  )[0]
  const leads = newest?.raft.role === 'leader' ? newest : undefined
  const configuration = newest?.raft.configuration
  const voters = [...(configuration?.voters ?? []), ...(configuration?.outgoing ?? [])]
  const learners = configuration?.learners ?? []
  const addressOf = new Map(Object.entries(configuration?.addresses ?? {}))
  const idAt = new Map([...addressOf].map(([id, address]) => [address, id]))

  const standing = ({ address, report }: MemberStatus): MemberStanding => {
    const id = report?.id ?? idAt.get(address)
    const membership = kindOf(id, voters, learners)
    if (report === undefined) return { address, id, answers: false, membership }
    const { role, term, commit, applied, snapshotIndex, logBytes } = report.raft
    const lag = leads === undefined ? {} : { lag: Math.max(0, leads.raft.commit - applied) }
    const told = { role, term, commit, applied, ...lag, snapshotIndex, logBytes }
    return { address, id, answers: true, membership, ...told }
  }

  const asked = new Set(statuses.map(({ address }) => address))
  const unasked = [...voters, ...learners].flatMap((id) => {
    const address = addressOf.get(id)
    return address === undefined || asked.has(address) ? [] : [address]
  })
  const silent = [...new Set(unasked)].map((address) => ({ address, report: undefined }))
  return {
    leader: leads?.id,
    term: newest?.raft.term ?? 0,
    clusterIncarnation: newest?.clusterIncarnation ?? '',
    members: [...statuses, ...silent].map(standing).sort(byId),
  }
}

function kindOf(
  id: string | undefined,
  voters: readonly string[],
  learners: readonly string[],
): MemberStanding['membership'] {
  if (id === undefined) return 'none'
  return voters.includes(id) ? 'voter' : learners.includes(id) ? 'learner' : 'none'
}

function byId(left: MemberStanding, right: MemberStanding): number {
  return (left.id ?? left.address) < (right.id ?? right.address) ? -1 : 1
}

const columns = ['member', 'address', 'vote', 'role', 'term', 'commit', 'applied', 'lag', 'log']

export function standingText({ leader, term, members }: Standing): string {
  const head = leader === undefined ? 'no leader is known' : `leader ${leader}, term ${term}`
  const rows = members.map((member) => {
    const { id = '?', address, membership, answers } = member
    if (!answers) return [id, address, membership, 'does not answer']
    const numbers = [member.term, member.commit, member.applied, member.lag ?? '?']
    const log = `${Math.ceil((member.logBytes ?? 0) / 1_024)} KiB`
    return [id, address, membership, member.role ?? '', ...numbers.map(String), log]
  })
  const widths = columns.map((name, column) =>
    Math.max(name.length, ...rows.map((row) => (row[column] ?? '').length)),
  )
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  return [head, line(columns), ...rows.map(line)].join('\n')
}
