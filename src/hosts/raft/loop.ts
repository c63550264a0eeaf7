/**
 * The turns of a member: what has come in since the last one is told to the machine all at once, and what
 * follows from it is carried out all at once. So a burst of proposals becomes one write and one message to
 * each follower, and a member that has nothing to do sleeps until its deadline.
 */
import type { RaftInput, RaftOutputs } from '../../protocols/raft/contract.ts'
import { deadlineMs, step, take } from '../../protocols/raft/raft.ts'
import type { RaftState } from '../../protocols/raft/state.ts'
import type { Timer } from '../../runtime/clock.ts'
import type { Runtime } from '../../runtime/runtime.ts'

export interface Loop {
  /** Before that, what comes in waits. */
  start(): void
  /** Takes part in the next turn, in a moment. */
  push(input: RaftInput): void
  /** `gather` has something. */
  wake(): void
  stop(): void
}

export interface LoopOptions {
  readonly runtime: Runtime
  readonly state: RaftState
  /** What waits elsewhere for this turn. */
  gather(): readonly RaftInput[]
  carryOut(outputs: RaftOutputs): void
  /** A rule was broken: the turn did not end. Called once. */
  failed(error: Error): void
}

export function loop(options: LoopOptions): Loop {
  const { runtime, state } = options
  const { clock, timers } = runtime
  let inputs: RaftInput[] = []
  // Until it is started there is always a turn to come.
  let scheduled = true
  let stopped = false
  let timer: { readonly atMs: number; readonly timer: Timer } | undefined

  function wake(): void {
    if (scheduled || stopped) return
    scheduled = true
    queueMicrotask(turn)
  }

  function turn(): void {
    scheduled = false
    if (stopped) return
    try {
      const nowMs = clock.monotonicMs()
      const due = inputs
      inputs = []
      for (const input of due) step(state, input, nowMs)
      for (const input of options.gather()) step(state, input, nowMs)
      if (nowMs >= deadlineMs(state)) step(state, { kind: 'time' }, nowMs)
      options.carryOut(take(state))
      arm(nowMs)
    } catch (error) {
      stop()
      options.failed(error instanceof Error ? error : new Error(String(error)))
    }
  }

  /** A timer that is too early only costs a turn, so one is moved only when it would be too late. */
  function arm(nowMs: number): void {
    if (stopped) return
    const atMs = deadlineMs(state)
    if (timer !== undefined && timer.atMs <= atMs) return
    timer?.timer.cancel()
    const fire = (): void => {
      timer = undefined
      wake()
    }
    timer = { atMs, timer: timers.schedule(Math.max(0, atMs - nowMs), fire) }
  }

  function stop(): void {
    stopped = true
    timer?.timer.cancel()
    inputs = []
  }

  return {
    start() {
      scheduled = false
      wake()
    },
    push(input) {
      if (stopped) return
      inputs.push(input)
      wake()
    },
    wake,
    stop,
  }
}
