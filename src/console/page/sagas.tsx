/**
 * Each saga as a line in time: a bar per step where it ran, and below it where it was undone. All lines
 * share one scale, so a step that waited for a dead process is seen at a glance.
 */
import type { JSX } from 'preact'
import { duration } from './processes.tsx'
import { type Saga, type SagaStep, sections, type View } from './view.ts'

interface Published {
  readonly running?: readonly Saga[]
  readonly recent?: readonly Saga[]
}

const shownMax = 40
const legend = [
  ['done', '--done'],
  ['running', '--busy'],
  ['failed', '--bad'],
  ['undone', '--undo'],
] as const

export function Sagas({ view }: { readonly view: View }): JSX.Element {
  const sagas = latest(view)
  const longestMs = Math.max(50, ...sagas.map((saga) => lengthMs(saga, view.nowMs)))
  return (
    <section class="wide">
      <h2>Sagas</h2>
      <div class="legend">
        {legend.map(([name, color]) => (
          <span key={name}>
            <i style={{ background: `var(${color})` }} />
            {name}
          </span>
        ))}
        <span>the whole width is {duration(longestMs)}</span>
      </div>
      <table>
        <tbody>
          {sagas.map((saga) => (
            <Row
              key={`${saga.name}/${saga.id}`}
              saga={saga}
              longestMs={longestMs}
              nowMs={view.nowMs}
            />
          ))}
          {sagas.length === 0 && (
            <tr>
              <td class="quiet">none yet: place an order</td>
            </tr>
          )}
        </tbody>
      </table>
    </section>
  )
}

/** Open ones first, then those that ended last; an instance may be known to several processes. */
function latest(view: View): Saga[] {
  const known = new Map<string, Saga>()
  for (const { recent = [], running = [] } of sections<Published>(view, 'sagas')) {
    for (const saga of [...recent, ...running]) {
      const key = `${saga.name}/${saga.id}`
      if (known.get(key)?.endedAtMs === undefined) known.set(key, saga)
    }
  }
  const order = (saga: Saga): number => saga.endedAtMs ?? Number.POSITIVE_INFINITY
  const started = (saga: Saga): number => saga.startedAtMs ?? 0
  return [...known.values()]
    .sort((a, b) => (order(a) === order(b) ? started(b) - started(a) : order(b) - order(a)))
    .slice(0, shownMax)
}

function lengthMs({ startedAtMs, endedAtMs }: Saga, nowMs: number): number {
  return (endedAtMs ?? nowMs) - (startedAtMs ?? nowMs)
}

const tone: Readonly<Record<string, string>> = {
  completed: 'good',
  compensated: 'warn',
  parked: 'bad',
  forced: 'bad',
}

function Row(props: {
  readonly saga: Saga
  readonly longestMs: number
  readonly nowMs: number
}): JSX.Element {
  const { saga, longestMs, nowMs } = props
  const current = saga.steps.find(({ status }) => status === 'running' || status === 'undoing')
  const doing = current === undefined ? saga.status : `${current.status} ${current.name}`
  return (
    <tr data-saga={saga.id}>
      <td class="mono clip" title={`${saga.name} ${saga.id}, epoch ${saga.epoch ?? '?'}`}>
        {saga.id}
      </td>
      <td style={{ width: '130px' }}>
        <span class={tone[saga.status] ?? 'quiet'}>{doing}</span>
      </td>
      <td style={{ width: '55%' }}>
        <Timeline saga={saga} longestMs={longestMs} nowMs={nowMs} />
      </td>
      <td class="number">{duration(lengthMs(saga, nowMs))}</td>
    </tr>
  )
}

function Timeline(props: {
  readonly saga: Saga
  readonly longestMs: number
  readonly nowMs: number
}): JSX.Element {
  const { saga, longestMs, nowMs } = props
  const originMs = saga.startedAtMs ?? nowMs
  const at = (ms: number): number => (100 * (ms - originMs)) / longestMs
  const bar = (step: SagaStep, startMs: number, endMs: number, status: string, y: number) => (
    <rect
      key={`${step.name}-${status}`}
      class={`step-${status}`}
      x={`${at(startMs)}%`}
      width={`${Math.max(0.4, at(endMs) - at(startMs))}%`}
      y={y}
      height={6}
      rx={2}
    >
      <title>{`${step.name}: ${status}, ${duration(endMs - startMs)}, attempts ${step.attempts}`}</title>
    </rect>
  )
  return (
    <svg class="timeline" role="img" aria-label={`steps of ${saga.id}`}>
      <rect
        class="track"
        x="0"
        y="8"
        width={`${at(originMs + lengthMs(saga, nowMs))}%`}
        height="1"
      />
      {saga.steps.flatMap((step) => {
        const { startedAtMs, endedAtMs, undoStartedAtMs, undoEndedAtMs } = step
        const forward = step.status.startsWith('undo') ? 'done' : step.status
        return [
          startedAtMs === undefined ? null : bar(step, startedAtMs, endedAtMs ?? nowMs, forward, 1),
          undoStartedAtMs === undefined
            ? null
            : bar(step, undoStartedAtMs, undoEndedAtMs ?? nowMs, 'undone', 11),
        ]
      })}
    </svg>
  )
}
