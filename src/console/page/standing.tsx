/**
 * What must hold, what is locked, and how deep the queues are.
 */
import type { JSX } from 'preact'
import { Duration, duration } from './duration.tsx'
import {
  families,
  type HeldLock,
  type Invariants,
  lastInvariants,
  type Queue,
  sections,
  type View,
} from './view.ts'

export function Standing({ view }: { readonly view: View }): JSX.Element {
  const [current] = sections<Invariants>(view, 'invariants')
  const checks = current?.checks ?? lastInvariants.value
  return (
    <section class="wide" aria-labelledby="invariants">
      <h2 id="invariants">
        Invariants{' '}
        {current === undefined && checks.length > 0 && (
          <span class="count">as last seen; nobody can look right now</span>
        )}
      </h2>
      <div class="cards">
        {checks.map(({ name, ok, detail }) => (
          <div
            key={name}
            class={`card ${ok ? '' : 'bad'} ${current === undefined ? 'stale' : ''}`}
            data-invariant={name}
            data-ok={String(ok)}
          >
            <strong class={ok ? 'good' : 'bad'}>
              <span aria-hidden="true">{ok ? '✓' : '✗'} </span>
              {name}
              <span class="unseen">{ok ? ' holds' : ' is broken'}</span>
            </strong>
            <span class="quiet">{detail}</span>
          </div>
        ))}
        {checks.length === 0 && (
          <span class="quiet">Not looked at yet: whoever can is still starting or busy.</span>
        )}
      </div>
    </section>
  )
}

const shares = [
  ['inFlight', 'in flight', '--busy'],
  ['ready', 'ready', '--done'],
  ['delayed', 'delayed', '--quiet'],
  ['blocked', 'blocked', '--undo'],
  ['dead', 'dead', '--bad'],
] as const

export function Queues({ view }: { readonly view: View }): JSX.Element {
  const queues = families<Queue>(view, 'queues/')
  return (
    <section aria-labelledby="queues">
      <h2 id="queues">Queues</h2>
      {queues.map((queue) => (
        <Depth key={queue.name} queue={queue} />
      ))}
      {queues.length === 0 && <span class="quiet">none yet</span>}
    </section>
  )
}

function Depth({ queue }: { readonly queue: Queue }): JSX.Element {
  const { name, oldestReadyMs } = queue
  const total = shares.reduce((sum, [share]) => sum + queue[share], 0)
  const told = shares.map(([share, label]) => `${label} ${queue[share]}`).join(', ')
  return (
    <div data-queue={name} data-depth={total}>
      <strong>{name}</strong>{' '}
      <span class="quiet">
        {queue.ready === 0 ? 'nobody waits' : `the oldest waits ${duration(oldestReadyMs)}`}
      </span>
      <div class="depth" role="img" aria-label={`${name}: ${told}`}>
        {shares.map(([share, label, color]) => (
          <span
            key={share}
            title={`${label} ${queue[share]}`}
            style={{
              width: `${(100 * queue[share]) / Math.max(1, total)}%`,
              background: `var(${color})`,
            }}
          />
        ))}
      </div>
      <div class="legend">
        {shares.map(([share, label, color]) => (
          <span key={share}>
            <i style={{ background: `var(${color})` }} />
            {label} {queue[share]}
          </span>
        ))}
      </div>
    </div>
  )
}

export function Locks({ view }: { readonly view: View }): JSX.Element {
  const held = sections<{ readonly held?: readonly HeldLock[] }>(view, 'locks').flatMap(
    (published) => published.held ?? [],
  )
  return (
    <section aria-labelledby="locks">
      <h2 id="locks">Locks</h2>
      {held.length === 0 ? (
        <span class="quiet">nothing is locked</span>
      ) : (
        <table aria-labelledby="locks">
          <thead>
            <tr>
              <th scope="col">name</th>
              <th scope="col">holder</th>
              <th scope="col" class="number">
                token
              </th>
              <th scope="col" class="number">
                ends in
              </th>
            </tr>
          </thead>
          <tbody>
            {held.map(({ name, holder, token, remainingMs }) => (
              <tr key={`${name}-${token}`} data-lock={name} data-token={token}>
                <td>{name.replace(/^lock\//, '')}</td>
                <td>{holder.slice(holder.lastIndexOf('/') + 1)}</td>
                <td class="number">{token}</td>
                <td class="number">
                  <Duration ms={remainingMs} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  )
}
