/**
 * The cluster's clock, as the leader reads it. A new leader first has it agreed on that its stamps count,
 * and counts on from the time its machine showed then, by its own monotonic clock. Nobody else may stamp a
 * command. See `machine/machine.ts` for why that can only lengthen leases.
 *
 * It also lets time pass when nobody asks for anything: when something ends or comes due, it has a command
 * agreed on that says no more than what time it is.
 */
import { isHoldfastError } from '../../errors.ts'
import type { RaftHost, RaftHostStatus } from '../../hosts/raft/contract.ts'
import type { Timer } from '../../runtime/clock.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import { type ClockStamp, encodeCommand } from './machine/command.ts'
import type { ClusterMachine } from './machine/machine.ts'

export interface LeaderClock {
  /** `undefined` unless this member leads and its stamps count. */
  stamp(): ClockStamp | undefined
  close(): void
}

export interface LeaderClockOptions {
  /** Where clients reach this member. */
  readonly door: string
}

interface Base {
  readonly term: number
  readonly machineMs: number
  readonly monotonicMs: number
}

const proposeMs = 5_000
const againMs = 50

export function leaderClock(
  runtime: Runtime,
  host: RaftHost,
  machine: ClusterMachine,
  { door }: LeaderClockOptions,
): LeaderClock {
  const { clock, timers, tasks, random } = runtime
  const stopped = new AbortController()
  const { signal } = stopped
  let announcedTerm = 0
  let base: Base | undefined
  let alarm: { readonly timer: Timer; readonly atMs: number } | undefined
  let ticking = false

  let role = host.status().role
  let currentTerm = host.status().term

  const leads = (term: number): boolean =>
    !signal.aborted && role === 'leader' && currentTerm === term

  async function announce(term: number): Promise<void> {
    const clusterId = random.id('cluster-id')
    const command = encodeCommand({ call: 'clock.lead', with: [term, host.id, door, clusterId] })
    while (leads(term)) {
      try {
        await host.propose(command, { timeoutMs: proposeMs, signal })
        if (!leads(term) || machine.state.clockTerm !== term) return
        // Read after the command was applied: later than when the count began is always safe.
        base = { term, machineMs: machine.state.timeMs, monotonicMs: clock.monotonicMs() }
        return arm()
      } catch (error) {
        if (!isHoldfastError(error)) throw error
        await sleep(timers, againMs, { signal, background: true }).catch(() => {})
      }
    }
  }

  function stamp(): ClockStamp | undefined {
    if (base === undefined || machine.state.clockTerm !== base.term || !leads(base.term)) {
      return undefined
    }
    const elapsedMs = clock.monotonicMs() - base.monotonicMs
    return { term: base.term, nowMs: base.machineMs + Math.floor(elapsedMs) }
  }

  async function tick(): Promise<void> {
    const now = stamp()
    if (now === undefined || ticking) return
    ticking = true
    try {
      await host.propose(encodeCommand({ call: 'clock.tick', with: [], stamp: now }), {
        timeoutMs: proposeMs,
        signal,
      })
    } catch (error) {
      if (!isHoldfastError(error)) throw error
      await sleep(timers, againMs, { signal, background: true }).catch(() => {})
    } finally {
      ticking = false
      arm()
    }
  }

  /** Wakes up when the next thing ends. A timer that is too early asks again. */
  function arm(): void {
    const nextMs = machine.nextMomentMs()
    if (nextMs === undefined || ticking) return
    if (alarm !== undefined && alarm.atMs <= nextMs) return
    const now = stamp()
    if (now === undefined) return
    alarm?.timer.cancel()
    const timer = timers.schedule(Math.max(0, nextMs - now.nowMs) + 1, ring, { background: true })
    alarm = { timer, atMs: nextMs }
  }

  function ring(): void {
    alarm = undefined
    const now = stamp()
    const nextMs = machine.nextMomentMs()
    if (now === undefined || nextMs === undefined) return
    if (nextMs <= now.nowMs) tasks.spawn('let the cluster’s time pass', tick)
    else arm()
  }

  function follow(status: RaftHostStatus): void {
    const { term } = status
    role = status.role
    currentTerm = term
    if (role !== 'leader') {
      base = undefined
      alarm?.timer.cancel()
      alarm = undefined
      return
    }
    if (term === announcedTerm) return
    announcedTerm = term
    base = undefined
    tasks.spawn('take over the cluster’s clock', () => announce(term))
  }

  const stopFollowing = host.observe(follow)
  const stopArming = machine.observe(arm)
  follow(host.status())

  return {
    stamp,
    close() {
      stopped.abort()
      stopFollowing()
      stopArming()
      alarm?.timer.cancel()
    },
  }
}
