/**
 * Who runs, how they are, and the buttons that make trouble.
 */
import type { JSX } from 'preact'
import { Duration } from './duration.tsx'
import type { Process, View } from './view.ts'

const mood: Readonly<Record<string, string>> = {
  ready: 'good',
  paused: 'warn',
  starting: 'warn',
  resting: 'warn',
  stopping: 'quiet',
  stopped: 'quiet',
  quarantined: 'bad',
}

export function Processes({ view }: { readonly view: View }): JSX.Element {
  return (
    <section aria-labelledby="processes">
      <h2 id="processes">Processes</h2>
      <table class="processes" aria-labelledby="processes">
        <thead>
          <tr>
            <th scope="col">instance</th>
            <th scope="col">state</th>
            <th scope="col" class="number">
              pid
            </th>
            <th scope="col" class="number">
              restarts
            </th>
            <th scope="col" class="number wide-only">
              up for
            </th>
            <th scope="col">
              <span class="unseen">signals</span>
            </th>
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
  const { instance, state, pid, restarts, startedAtMs, lastExit, paused = false } = process
  const alive = pid !== null
  const shown = paused && alive ? 'paused' : state
  const pause = paused ? 'resume' : 'pause'
  return (
    <tr data-instance={instance} data-state={shown}>
      <th scope="row">{instance}</th>
      <td>
        <span class={`badge ${mood[shown] ?? 'quiet'}`}>{shown}</span>
      </td>
      <td class="number" data-pid={pid ?? ''}>
        {pid ?? '–'}
      </td>
      <td
        class="number"
        data-restarts={restarts}
        title={lastExit === undefined ? '' : `last exit: ${lastExit}`}
      >
        {restarts}
      </td>
      <td class="number wide-only">
        {alive ? <Duration ms={nowMs - startedAtMs} /> : <span class="quiet">–</span>}
      </td>
      <td class="number">
        <button
          type="button"
          aria-label={`${pause} ${instance}`}
          disabled={!alive}
          onClick={() => void send(instance, paused ? 'SIGCONT' : 'SIGSTOP')}
        >
          {pause}
        </button>
        <button
          type="button"
          class="kill"
          aria-label={`kill ${instance}`}
          disabled={!alive}
          onClick={() => void send(instance, 'SIGKILL')}
        >
          kill
        </button>
      </td>
    </tr>
  )
}

/** What came of it is seen in the next view; a supervisor that is gone shows as "reconnecting". */
async function send(instance: string, signal: string): Promise<void> {
  await fetch(`/api/processes/${encodeURIComponent(instance)}/kill`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ signal }),
  }).catch(() => {})
}
