/**
 * The sagas: those under way, the oldest first, then those that ended last. All lines share one scale,
 * so a step that waited for a dead process is seen at a glance.
 */
import type { JSX } from 'preact'
import { Duration, duration } from './duration.tsx'
import { lengthMs, Timeline } from './timeline.tsx'
import { type Saga, sections, type View } from './view.ts'

interface Published {
  readonly running?: readonly Saga[]
  readonly recent?: readonly Saga[]
  readonly unclaimable?: Readonly<Record<string, number>>
}

const openMax = 20
const endedMax = 20
const legend = [
  ['waiting', '--line-strong'],
  ['done', '--done'],
  ['running', '--busy'],
  ['failed', '--bad'],
  ['undone', '--undo'],
] as const

export function Sagas({ view }: { readonly view: View }): JSX.Element {
  const published = sections<Published>(view, 'sagas')
  const { open, ended } = known(published)
  const shown = [...open.slice(0, openMax), ...ended.slice(0, endedMax)]
  const longestMs = Math.max(50, ...shown.map((saga) => lengthMs(saga, view.nowMs)))
  const orphans = new Map(published.flatMap(({ unclaimable = {} }) => Object.entries(unclaimable)))
  return (
    <section class="wide" aria-labelledby="sagas">
      <h2 id="sagas">
        Sagas <span class="count">{open.length} under way here</span>
      </h2>
      {[...orphans].map(([definition, waiting]) => (
        <p key={definition} class="warn" data-unclaimable={definition}>
          {waiting} of {definition} were due and passed over by a process that does not know it
        </p>
      ))}
      <div class="legend">
        {legend.map(([name, color]) => (
          <span key={name}>
            <i style={{ background: `var(${color})` }} />
            {name}
          </span>
        ))}
        {shown.length > 0 && <span class="scale">the whole width is {duration(longestMs)}</span>}
      </div>
      {shown.length === 0 ? (
        <p class="quiet">None yet. Place an order, and it appears here step by step.</p>
      ) : (
        <table class="sagas" aria-labelledby="sagas">
          <tbody>
            {shown.map((saga) => (
              <Row
                key={`${saga.name}/${saga.id}`}
                saga={saga}
                longestMs={longestMs}
                nowMs={view.nowMs}
              />
            ))}
          </tbody>
        </table>
      )}
    </section>
  )
}

/** An instance may be known to several processes; an end is the last word. */
function known(published: readonly Published[]): { open: Saga[]; ended: Saga[] } {
  const found = new Map<string, Saga>()
  for (const { recent = [], running = [] } of published) {
    for (const saga of [...recent, ...running]) {
      const key = `${saga.name}/${saga.id}`
      if (found.get(key)?.endedAtMs === undefined) found.set(key, saga)
    }
  }
  const all = [...found.values()]
  return {
    open: all
      .filter(({ endedAtMs }) => endedAtMs === undefined)
      .sort((a, b) => (a.startedAtMs ?? 0) - (b.startedAtMs ?? 0)),
    ended: all
      .filter(({ endedAtMs }) => endedAtMs !== undefined)
      .sort((a, b) => (b.endedAtMs ?? 0) - (a.endedAtMs ?? 0)),
  }
}

const tone: Readonly<Record<string, string>> = {
  completed: 'good',
  compensated: 'warn',
  parked: 'bad',
  forced: 'bad',
}

function doing({ status, steps }: Saga): string {
  const current = steps.find((step) => step.status === 'running' || step.status === 'undoing')
  if (current !== undefined) return `${current.status} ${current.name}`
  if (status === 'back') return 'turning back'
  if (status !== 'forward') return status
  return steps.some((step) => step.status === 'done') ? 'between steps' : 'waiting'
}

function Row(props: {
  readonly saga: Saga
  readonly longestMs: number
  readonly nowMs: number
}): JSX.Element {
  const { saga, longestMs, nowMs } = props
  const { name, id, version, epoch, status } = saga
  return (
    <tr data-saga={id} data-status={status}>
      <th
        scope="row"
        class="mono clip id"
        title={`${name} version ${version ?? '?'}, ${id}, epoch ${epoch ?? '?'}`}
      >
        {id}
      </th>
      <td class={`status ${tone[status] ?? 'quiet'}`}>{doing(saga)}</td>
      <td class="line">
        <Timeline saga={saga} longestMs={longestMs} nowMs={nowMs} />
      </td>
      <td class="number">
        <Duration ms={lengthMs(saga, nowMs)} />
      </td>
    </tr>
  )
}
