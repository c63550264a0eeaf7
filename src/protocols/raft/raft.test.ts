import { expect, it } from 'vitest'
import type { Configuration } from './entry.ts'
import type { Message } from './message.ts'
import { type RaftState, raft, step, take } from './raft.ts'

const configuration: Configuration = {
  voters: ['a', 'b', 'c'],
  outgoing: [],
  learners: [],
  addresses: {},
  retired: [],
}

it('smoke', () => {
  const states = new Map<string, RaftState>()
  const applied: string[] = []
  for (const [seed, id] of ['a', 'b', 'c'].entries()) {
    states.set(
      id,
      raft(
        { id, seed },
        {
          term: 0,
          vote: undefined,
          snapshot: { index: 0, term: 0, configuration },
          entries: [],
          commit: 0,
        },
        0,
      ),
    )
  }
  const wire: Message[] = []
  function turn(id: string, state: RaftState, nowMs: number): void {
    for (let again = true; again; ) {
      const out = take(state)
      again = out.write !== undefined
      wire.push(...out.send)
      for (const entry of out.committed) applied.push(`${id} ${entry.index} ${entry.kind}`)
      if (out.write !== undefined) {
        step(state, { kind: 'written', ticket: out.write.ticket }, nowMs)
        wire.push(...out.sendAfter.map(({ message }) => message))
      }
    }
  }
  for (let nowMs = 0; nowMs < 4000; nowMs += 10) {
    for (const [id, state] of states) {
      step(state, { kind: 'time' }, nowMs)
      if (nowMs === 3000)
        step(state, { kind: 'propose', id: 'x', commands: [new Uint8Array(3)] }, nowMs)
      turn(id, state, nowMs)
    }
    for (const message of wire.splice(0)) {
      const state = states.get(message.to)
      if (state === undefined) continue
      step(state, { kind: 'message', message }, nowMs)
      turn(message.to, state, nowMs)
    }
  }
  expect(applied.length).toBe(12)
})
