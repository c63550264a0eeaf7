import { describe, expect, it } from 'vitest'
import { type ClientSessions, type CommandNumber, clientSessions } from './sessions.ts'

const limits = { sessionsMax: 3, ttlMs: 1_000, idleMinMs: 100, openMax: 4 }
const make = (): ClientSessions<string> => clientSessions<string>(limits)
const number = (sequence: number, lowest = 1, session = 'a'): CommandNumber => {
  return { session, sequence, lowest }
}

describe('client sessions', () => {
  it('RF-9: a repeated command gets the first answer and is not carried out again', () => {
    const sessions = make()
    sessions.open('a', 0)
    expect(sessions.admit(number(1), 0)).toEqual({ kind: 'new' })
    sessions.finish(number(1), 'first')
    expect(sessions.admit(number(1), 1)).toEqual({ kind: 'repeated', answer: 'first' })
    expect(sessions.admit(number(2), 1)).toEqual({ kind: 'new' })
  })

  it('RF-9: commands may arrive in any order, each is new once', () => {
    const sessions = make()
    sessions.open('a', 0)
    for (const sequence of [3, 1, 4, 2]) {
      expect(sessions.admit(number(sequence), 0)).toEqual({ kind: 'new' })
      sessions.finish(number(sequence), String(sequence))
      expect(sessions.admit(number(sequence), 0)).toEqual({
        kind: 'repeated',
        answer: String(sequence),
      })
    }
  })

  it('RF-9: what the client waits for no longer is forgotten, and never carried out late', () => {
    const sessions = make()
    sessions.open('a', 0)
    sessions.admit(number(1), 0)
    sessions.finish(number(1), 'first')
    expect(sessions.admit(number(3, 3), 0)).toEqual({ kind: 'new' })
    expect(sessions.admit(number(1), 0)).toEqual({ kind: 'forgotten' })
    expect(sessions.admit(number(2), 0)).toEqual({ kind: 'forgotten' })
    expect(sessions.picture()[0]?.answers).toEqual([])
  })

  it('RF-9: an expired session is refused for ever, by the time that is told and no other', () => {
    const sessions = make()
    sessions.open('a', 0)
    sessions.open('b', 0)
    sessions.admit(number(1), 500)
    sessions.expire(1_000)
    expect(sessions.admit(number(1, 1, 'b'), 1_000)).toEqual({ kind: 'over' })
    expect(sessions.admit(number(2), 1_000)).toEqual({ kind: 'new' })
    sessions.expire(2_000)
    expect(sessions.admit(number(2), 2_000)).toEqual({ kind: 'over' })
    expect(sessions.size).toBe(0)
  })

  it('G-11: past the limit the one idle longest makes room, but none in use', () => {
    const sessions = make()
    for (const id of ['a', 'b', 'c']) sessions.open(id, 0)
    expect(sessions.open('d', 99)).toBe(false)
    sessions.admit(number(1), 50)
    expect(sessions.open('d', 100)).toBe(true)
    expect(sessions.admit(number(1, 1, 'b'), 100)).toEqual({ kind: 'over' })
    expect(sessions.admit(number(1), 100)).toEqual({ kind: 'new' })
  })

  it('G-11: a session has only so many commands under way', () => {
    const sessions = make()
    sessions.open('a', 0)
    expect(sessions.admit(number(5), 0)).toEqual({ kind: 'full' })
    expect(sessions.admit(number(5, 2), 0)).toEqual({ kind: 'new' })
  })

  it('RF-9: the picture holds all that is remembered, and later changes do not show in it', () => {
    const sessions = make()
    sessions.open('a', 0)
    sessions.open('b', 0)
    sessions.admit(number(1), 7)
    sessions.finish(number(1), 'first')
    const picture = sessions.picture()
    sessions.admit(number(2, 2), 8)
    sessions.finish(number(2, 2), 'second')
    const restored = make()
    restored.restore(structuredClone(picture))
    expect(restored.picture()).toEqual(picture)
    expect(restored.admit(number(1), 9)).toEqual({ kind: 'repeated', answer: 'first' })
    restored.expire(1_001)
    expect(restored.admit(number(1, 1, 'b'), 1_001)).toEqual({ kind: 'over' })
  })

  it('G-14: forgetting the answers in the snapshot makes a command run twice', () => {
    const sessions = make()
    sessions.open('a', 0)
    sessions.admit(number(1), 0)
    sessions.finish(number(1), 'first')
    const broken = sessions.picture().map((session) => ({ ...session, answers: [] }))
    const restored = make()
    restored.restore(broken)
    expect(restored.admit(number(1), 0)).toEqual({ kind: 'new' })
  })
})
