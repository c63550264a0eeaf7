/**
 * The members of a cluster: who leads, in which term, and how far behind the others are. Each tells its own
 * place; one that does not answer is known from the configuration that the others hold.
 */
import type { JSX } from 'preact'
import { families, type RaftMember, type View } from './view.ts'

interface Row {
  readonly id: string
  readonly vote: 'voter' | 'learner'
  readonly member: RaftMember | undefined
  /** Entries that are agreed on and not applied there yet; `undefined` if nobody can say. */
  readonly lag: number | undefined
}

/** A bar is full at so many entries, or at the greatest lag if that is more. */
const fullAt = 100

export function Cluster({ view }: { readonly view: View }): JSX.Element | null {
  const members = families<RaftMember>(view, 'raft/')
  const newest = [...members].sort((left, right) => right.term - left.term)[0]
  if (newest === undefined) return null
  const leader = members.find(({ role, term }) => role === 'leader' && term === newest.term)
  const rows = rowsOf(members, leader ?? newest, leader)
  const most = Math.max(fullAt, ...rows.map(({ lag }) => lag ?? 0))
  return (
    <section aria-labelledby="cluster" data-leader={leader?.id ?? ''} data-term={newest.term}>
      <h2 id="cluster">
        Cluster{' '}
        <span class="count">
          {leader === undefined ? 'nobody leads' : `${leader.id} leads`} · term {newest.term}
        </span>
      </h2>
      <table aria-labelledby="cluster">
        <thead>
          <tr>
            <th scope="col">member</th>
            <th scope="col">role</th>
            <th scope="col" class="number">
              term
            </th>
            <th scope="col" class="number">
              agreed
            </th>
            <th scope="col" class="number wide-only">
              log
            </th>
            <th scope="col">behind</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <MemberRow key={row.id} row={row} most={most} />
          ))}
        </tbody>
      </table>
    </section>
  )
}

function rowsOf(
  members: readonly RaftMember[],
  { configuration: { voters, outgoing, learners } }: RaftMember,
  leader: RaftMember | undefined,
): readonly Row[] {
  const ids = [...new Set([...voters, ...outgoing, ...learners])].sort()
  return ids.map((id) => {
    const member = members.find((each) => each.id === id)
    // Of one that is silent, the leader knows how much of the log it had.
    const reached = member?.applied ?? leader?.followers.find((each) => each.id === id)?.match
    const lag =
      leader === undefined || reached === undefined
        ? undefined
        : Math.max(0, leader.commit - reached)
    return { id, vote: learners.includes(id) ? 'learner' : 'voter', member, lag }
  })
}

function MemberRow({ row, most }: { readonly row: Row; readonly most: number }): JSX.Element {
  const { id, vote, member, lag } = row
  const role = member?.role ?? 'silent'
  const shown = vote === 'learner' && role === 'follower' ? 'learner' : role
  const told = lag === undefined ? `${id}: not known` : `${id}: ${lag} entries behind`
  return (
    <tr data-member={id} data-role={shown} data-lag={lag ?? ''}>
      <th scope="row">{id}</th>
      <td>
        <span class={`badge ${mood[shown] ?? 'warn'}`}>{shown}</span>
      </td>
      <td class="number">{member?.term ?? '–'}</td>
      <td class="number">{member?.commit ?? '–'}</td>
      <td class="number wide-only">
        {member === undefined ? '–' : `${Math.ceil(member.logBytes / 1_024)} KiB`}
      </td>
      <td>
        <div class="depth" role="img" aria-label={told} title={told}>
          <span style={{ width: `${(100 * (lag ?? 0)) / most}%`, background: 'var(--busy)' }} />
        </div>
      </td>
    </tr>
  )
}

const mood: Readonly<Record<string, string>> = {
  leader: 'good',
  follower: 'quiet',
  learner: 'quiet',
  silent: 'bad',
}
