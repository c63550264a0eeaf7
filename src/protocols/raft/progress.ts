/**
 * How far the leader believes one other member to be. It begins by probing: one message at a time, to find
 * where the logs agree. Then it replicates: many messages on their way, each assumed to arrive. One refusal
 * or a broken link, and it probes again. A member behind the log's beginning gets a snapshot.
 */
import type { MemberId } from './entry.ts'
import type { Progress } from './state.ts'

export function newProgress(id: MemberId, next: number): Progress {
  return {
    id,
    mode: 'probing',
    match: 0,
    next,
    inflight: [],
    inflightBytes: 0,
    waiting: false,
    nudgeDue: false,
    active: false,
    round: 0,
    roundSentMs: -Infinity,
    commitSent: 0,
  }
}

export function probe(progress: Progress, next: number): void {
  progress.mode = 'probing'
  progress.next = Math.max(next, progress.match + 1)
  progress.waiting = false
  progress.nudgeDue = false
  progress.commitSent = 0
  forgetInflight(progress)
}

export function replicate(progress: Progress): void {
  progress.mode = 'replicating'
  progress.next = progress.match + 1
  progress.waiting = false
  forgetInflight(progress)
}

export function awaitSnapshot(progress: Progress): void {
  progress.mode = 'snapshot'
  progress.waiting = false
  progress.nudgeDue = false
  forgetInflight(progress)
}

/** @returns did it advance? */
export function reach(progress: Progress, index: number): boolean {
  settleInflight(progress, index)
  if (index <= progress.match) return false
  progress.match = index
  progress.next = Math.max(progress.next, index + 1)
  return true
}

function settleInflight(progress: Progress, index: number): void {
  let settled = 0
  for (const { lastIndex, bytes } of progress.inflight) {
    if (lastIndex > index) break
    progress.inflightBytes -= bytes
    settled += 1
  }
  if (settled > 0) progress.inflight.splice(0, settled)
}

function forgetInflight(progress: Progress): void {
  progress.inflight.length = 0
  progress.inflightBytes = 0
}
