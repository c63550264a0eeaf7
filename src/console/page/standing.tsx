/**
 * What must hold, what is locked, and how deep the queues are.
 */
import type { JSX } from 'preact'
import { duration } from './processes.tsx'
import {
  families,
  type HeldLock,
  type Invariants,
  type Queue,
  sections,
  type View,
} from './view.ts'

export function Standing({ view }: { readonly view: View }): JSX.Element {
  const checks = sections<Invariants>(view, 'invariants').flatMap((report) => report.checks ?? [])
  const known = new Map(checks.map((check) => [check.name, check]))
  return (
    <section class="wide">
      <h2>Invariants</h2>
      <div class="cards">
        {[...known.values()].map(({ name, ok, detail }) => (
          <div
            key={name}
            class={`card ${ok ? '' : 'bad'}`}
            data-invariant={name}
            data-ok={String(ok)}
          >
            <strong class={ok ? 'good' : 'bad'}>
              {ok ? '✓' : '✗'} {name}
            </strong>
            <span class="quiet">{detail}</span>
          </div>
        ))}
        {known.size === 0 && <span class="quiet">no process publishes any right now</span>}
      </div>
    </section>
  )
}

const shares = [
  ['inFlight', '--busy'],
  ['ready', '--done'],
  ['delayed', '--quiet'],
  ['blocked', '--undo'],
  ['dead', '--bad'],
] as const

export function Queues({ view }: { readonly view: View }): JSX.Element {
  return (
    <section>
      <h2>Queues</h2>
      {families<Queue>(view, 'queues/').map((queue) => {
        const total = shares.reduce((sum, [share]) => sum + queue[share], 0)
        return (
          <div key={queue.name} data-queue={queue.name}>
            <strong>{queue.name}</strong>{' '}
            <span class="quiet">oldest waits {duration(queue.oldestReadyMs)}</span>
            <div class="depth">
              {shares.map(([share, color]) => (
                <span
                  key={share}
                  title={`${share} ${queue[share]}`}
                  style={{
                    width: `${(100 * queue[share]) / Math.max(1, total)}%`,
                    background: `var(${color})`,
                  }}
                />
              ))}
            </div>
            <div class="legend">
              {shares.map(([share, color]) => (
                <span key={share}>
                  <i style={{ background: `var(${color})` }} />
                  {share === 'inFlight' ? 'in flight' : share} {queue[share]}
                </span>
              ))}
            </div>
          </div>
        )
      })}
    </section>
  )
}

export function Locks({ view }: { readonly view: View }): JSX.Element {
  const held = sections<{ readonly held?: readonly HeldLock[] }>(view, 'locks').flatMap(
    (published) => published.held ?? [],
  )
  return (
    <section>
      <h2>Locks</h2>
      <table>
        <thead>
          <tr>
            <th>name</th>
            <th>holder</th>
            <th class="number">token</th>
            <th class="number">ends in</th>
          </tr>
        </thead>
        <tbody>
          {held.map(({ name, holder, token, remainingMs }) => (
            <tr key={`${name}-${token}`} data-lock={name}>
              <td>{name.replace(/^lock\//, '')}</td>
              <td>{holder}</td>
              <td class="number mono">{token}</td>
              <td class="number">{duration(remainingMs)}</td>
            </tr>
          ))}
          {held.length === 0 && (
            <tr>
              <td class="quiet">nothing is locked</td>
            </tr>
          )}
        </tbody>
      </table>
    </section>
  )
}
