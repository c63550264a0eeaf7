/**
 * Who runs, how they are, and the buttons that make trouble.
 */
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import type { Process, View } from './view.ts'

const mood: Readonly<Record<string, string>> = {
  ready: 'good',
  starting: 'warn',
  resting: 'warn',
  stopping: 'quiet',
  stopped: 'quiet',
  quarantined: 'bad',
}

export function Processes({ view }: { readonly view: View }): JSX.Element {
  return (
    <section>
      <h2>Processes</h2>
      <table>
        <thead>
          <tr>
            <th>instance</th>
            <th>state</th>
            <th class="number">pid</th>
            <th class="number">restarts</th>
            <th class="number">up for</th>
            <th />
          </tr>
        </thead>
        <tbody>
          {view.processes.map((process) => (
            <Row key={process.instance} process={process} nowMs={view.nowMs} />
          ))}
        </tbody>
      </table>
    </section>
  )
}

function Row({
  process,
  nowMs,
}: {
  readonly process: Process
  readonly nowMs: number
}): JSX.Element {
  const paused = useSignal(false)
  const { instance, state, pid, restarts, startedAtMs, lastExit } = process
  const alive = pid !== null
  const togglePause = (): void => {
    paused.value = !paused.value
    void send(instance, paused.value ? 'SIGSTOP' : 'SIGCONT')
  }
  const shown = paused.value && alive ? 'paused' : state
  return (
    <tr data-instance={instance}>
      <td>
        <strong>{instance}</strong>
      </td>
      <td>
        <span class={`badge ${shown === 'paused' ? 'warn' : (mood[state] ?? 'quiet')}`}>
          {shown}
        </span>
      </td>
      <td class="number mono">{pid ?? '–'}</td>
      <td class="number" title={lastExit === undefined ? '' : `last exit: ${lastExit}`}>
        {restarts}
      </td>
      <td class="number">{alive ? duration(nowMs - startedAtMs) : '–'}</td>
      <td class="number">
        <button type="button" disabled={!alive} onClick={togglePause}>
          {paused.value && alive ? 'resume' : 'pause'}
        </button>
        <button
          type="button"
          class="kill"
          disabled={!alive}
          onClick={() => {
            paused.value = false
            void send(instance, 'SIGKILL')
          }}
        >
          kill
        </button>
      </td>
    </tr>
  )
}

async function send(instance: string, signal: string): Promise<void> {
  await fetch(`/api/processes/${encodeURIComponent(instance)}/kill`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ signal }),
  })
}

export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`
  const seconds = Math.floor(ms / 1_000)
  if (seconds < 90) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h`
}
