import { readFileSync, writeFileSync } from 'node:fs'
import { env } from 'node:process'
import { describe, expect, it } from 'vitest'
import { type Command, commandFormat, decodeAnswer, encodeCommand } from './command.ts'
import { clusterMachine } from './machine.ts'
import { snapshotFormat } from './snapshot.ts'

/**
 * One of each, by the commands of version 1. What is in the file was written by that version and must be
 * read for ever; a new format gets a new file beside it. HOLDFAST_GOLDEN=1 writes it.
 */
const golden = new URL('./golden/snapshot-1.txt', import.meta.url)

const stamp = { term: 3, nowMs: 1_000_000 }
const number = { session: 'feedc0de-2', sequence: 1, lowest: 1 }
const shop = { in: 'shop', stamp }
const acquire = { name: 'n', ttlMs: 10_000, attemptId: 'a', holder: 'one' }
const write = { space: 's', key: 'k', value: '{"é":"~🐙"}', expected: 'any' }
const commands: readonly Command[] = [
  { call: 'clock.lead', with: [3, 'm1', 'm1:4100', 'feedc0defeedc0defeedc0defeedc0de'] },
  { call: 'sessions.open', with: [], stamp },
  { call: 'restore.begin', with: ['half'], stamp },
  { call: 'restore.piece', with: ['half', 0, 'text\n'], stamp },
  { call: 'leases.acquire', with: [acquire], number, ...shop },
  { call: 'leases.acquire', with: [{ ...acquire, attemptId: 'b', queueForMs: 5_000 }], ...shop },
  { call: 'registry.openSession', with: [{ ttlMs: 60_000, owner: 'o' }], ...shop },
  { call: 'registry.register', with: ['feedc0de-7', 'key', 'value'], ...shop },
  { call: 'registry.register', with: ['feedc0de-7', 'gone', ''], ...shop },
  { call: 'registry.deregister', with: ['feedc0de-7', 'gone'], ...shop },
  { call: 'records.putAll', with: [[{ ...write, dueInMs: 5, expiresInMs: 9_000 }]], ...shop },
  { call: 'records.putAll', with: [[{ ...write, key: 'plain' }]], ...shop },
  { call: 'records.increment', with: ['s', 'count', 2n ** 60n], ...shop },
]

describe('bytes that were written once', () => {
  it('G-10: commands of version 1 are understood as they were, and lead to the same snapshot', () => {
    const machine = clusterMachine()
    commands.forEach((command, index) => {
      const answer = decodeAnswer(machine.apply(index + 1, encodeCommand(command)))
      expect(answer).toHaveProperty('v', 1)
      expect(answer).not.toHaveProperty('refused')
      expect(answer).not.toHaveProperty('error')
    })
    const text = [...machine.texts()].join('')
    if (env.HOLDFAST_GOLDEN === '1') writeFileSync(golden, text)
    expect([commandFormat, snapshotFormat]).toEqual([1, 1])
    expect(text).toBe(readFileSync(golden, 'utf8'))
  })

  it('G-10: a snapshot of version 1 is read, and says the same when written again', () => {
    const machine = clusterMachine()
    machine.restore([readFileSync(golden)])
    expect([...machine.texts()].join('')).toBe(readFileSync(golden, 'utf8'))
    const { leases, records, registry } = machine.keyspace('shop')
    expect(leases.list('', { limit: 10 }, 1_000_000)).toMatchObject([{ token: 1n, waiters: 1 }])
    expect(records.get('s', 'k', 1_000_000)?.value).toBe('{"é":"~🐙"}')
    expect(registry.list('').entries).toMatchObject([{ key: 'key', incarnation: 1n }])
  })

  it('G-10: a snapshot of a later version is refused by name', () => {
    const text = readFileSync(golden, 'utf8').replace(
      '"holdfast-cluster",1',
      '"holdfast-cluster",2',
    )
    const machine = clusterMachine()
    expect(() => machine.restore([new TextEncoder().encode(text)])).toThrow(/format 2/)
  })
})
