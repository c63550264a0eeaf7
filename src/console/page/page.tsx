/**
 * The console: one page, live, that shows what the processes publish and lets anyone make trouble.
 */
import { type JSX, render } from 'preact'
import { Cluster } from './cluster.tsx'
import { Processes } from './processes.tsx'
import { Sagas } from './sagas.tsx'
import { Locks, Queues, Standing } from './standing.tsx'
import { follow, live, view } from './view.ts'

function Page(): JSX.Element {
  const now = view.value
  return (
    <>
      <header>
        <h1>Holdfast</h1>
        <span class="quiet">{now?.name ?? ''}</span>
        <span role="status" class={`badge ${live.value ? 'good' : 'bad pulse'}`}>
          {live.value ? 'live' : 'reconnecting'}
        </span>
        <span class="space" />
        <button type="button" aria-label="switch between light and dark" onClick={switchTheme}>
          light / dark
        </button>
      </header>
      {now === undefined ? (
        <main>
          <section class="wide quiet">Waiting for the first view …</section>
        </main>
      ) : (
        <main>
          <Standing view={now} />
          <Processes view={now} />
          <div class="column">
            <Cluster view={now} />
            <Queues view={now} />
            <Locks view={now} />
          </div>
          <Sagas view={now} />
        </main>
      )}
    </>
  )
}

function switchTheme(): void {
  const root = document.documentElement
  const dark = matchMedia('(prefers-color-scheme: dark)').matches
  const current = root.dataset.theme ?? (dark ? 'dark' : 'light')
  root.dataset.theme = current === 'dark' ? 'light' : 'dark'
}

follow()
render(<Page />, document.body)
