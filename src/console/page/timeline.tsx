/**
 * One saga as a line in time: a bar per step where it ran, below it where it was undone, and grey where
 * it waited for its first step.
 */
import type { JSX } from 'preact'
import { duration } from './duration.tsx'
import type { Saga, SagaStep } from './view.ts'

export function lengthMs({ startedAtMs, endedAtMs }: Saga, nowMs: number): number {
  // One that has begun since the view was taken has no length yet.
  return Math.max(0, (endedAtMs ?? nowMs) - (startedAtMs ?? nowMs))
}

export function Timeline(props: {
  readonly saga: Saga
  /** What the whole width stands for. */
  readonly longestMs: number
  readonly nowMs: number
}): JSX.Element {
  const { saga, longestMs, nowMs } = props
  const originMs = saga.startedAtMs ?? nowMs
  const firstMs = saga.steps[0]?.startedAtMs ?? saga.endedAtMs ?? nowMs
  const at = (ms: number): number => (100 * (ms - originMs)) / longestMs
  const bar = (name: string, startMs: number, endMs: number, status: string, note = '') => (
    <rect
      key={`${name}-${status}`}
      class={`step-${status}`}
      x={`${at(startMs)}%`}
      width={`${Math.max(0.4, at(endMs) - at(startMs))}%`}
      y={status === 'undone' ? 11 : 1}
      height={6}
      rx={2}
    >
      <title>{`${name}: ${status}, ${duration(endMs - startMs)}${note}`}</title>
    </rect>
  )
  return (
    <svg class="timeline" role="img" aria-label={spoken(saga)}>
      <rect
        class="track"
        x="0"
        y="8"
        width={`${at(originMs + lengthMs(saga, nowMs))}%`}
        height="1"
      />
      {firstMs > originMs && bar('begun', originMs, firstMs, 'waiting')}
      {saga.steps.flatMap((step) => {
        const { name, startedAtMs, endedAtMs, undoStartedAtMs, undoEndedAtMs, attempts } = step
        const forward = step.status.startsWith('undo') ? 'done' : step.status
        const note = attempts > 1 ? `, ${attempts} attempts` : ''
        return [
          startedAtMs === undefined
            ? null
            : bar(name, startedAtMs, endedAtMs ?? nowMs, forward, note),
          undoStartedAtMs === undefined
            ? null
            : bar(name, undoStartedAtMs, undoEndedAtMs ?? nowMs, 'undone'),
        ]
      })}
    </svg>
  )
}

function spoken({ id, steps }: Saga): string {
  const told = steps.filter(({ status }: SagaStep) => status !== 'waiting')
  return `${id}: ${told.map(({ name, status }) => `${name} ${status}`).join(', ') || 'waiting'}`
}
