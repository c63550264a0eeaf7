import { describe, expect, it } from 'vitest'
import { LeaseLostError } from '../../../errors.ts'
import {
  answeredValue,
  type Command,
  type CommandAnswer,
  decodeAnswer,
  encodeCommand,
} from './command.ts'
import { type ClusterMachine, clusterMachine } from './machine.ts'
import { numbers } from './seeded.sim.ts'

interface Bench {
  readonly machine: ClusterMachine
  nowMs: number
  term: number
  /** Applies with the stamp of the present leader. */
  ask(call: string, values: readonly unknown[], more?: Partial<Command>): CommandAnswer
  lead(term: number): void
}

function bench(machine: ClusterMachine = clusterMachine(), index = 0): Bench {
  let applied = index
  const apply = (command: Command): CommandAnswer => {
    applied += 1
    return decodeAnswer(machine.apply(applied, encodeCommand(command)))
  }
  const self: Bench = {
    machine,
    nowMs: 0,
    term: 1,
    ask: (call, values, more = {}) =>
      apply({
        call,
        in: 'shop',
        with: values,
        stamp: { term: self.term, nowMs: self.nowMs },
        ...more,
      }),
    lead(term) {
      self.term = term
      apply({ call: 'clock.lead', with: [term, `m${term}`, `m${term}:1`, 'c0ffee00c0ffee00'] })
    },
  }
  self.lead(1)
  return self
}

const acquire = (name: string, attemptId: string, more: object = {}): readonly unknown[] => [
  { name, attemptId, ttlMs: 1_000, ...more },
]
const value = (answer: CommandAnswer): unknown => answeredValue(answer)
const text = ({ machine }: Bench): string => [...machine.texts()].join('')

describe('the clock of the machine', () => {
  it('RF-9, LK-3: leases end by the stamps of the leader, and never before', () => {
    const one = bench()
    one.nowMs = 5_000
    expect(value(one.ask('leases.acquire', acquire('a', 'x')))).toEqual({
      token: 1n,
      validForMs: 990,
    })
    one.nowMs = 5_999
    expect(value(one.ask('leases.acquire', acquire('a', 'y')))).toBeUndefined()
    one.nowMs = 6_000
    expect(value(one.ask('leases.acquire', acquire('a', 'y')))).toMatchObject({ token: 2n })
  })

  it('LK-3: time never goes back, whatever the stamps say', () => {
    const one = bench()
    one.nowMs = 5_000
    one.ask('clock.tick', [])
    one.nowMs = 10
    one.ask('leases.acquire', acquire('a', 'x'))
    expect(one.machine.state.timeMs).toBe(5_000)
    one.nowMs = 5_999
    expect(value(one.ask('leases.acquire', acquire('a', 'y')))).toBeUndefined()
  })

  it('RF-9, LK-1: a stamp of a former leader is refused, so its clock shortens no lease', () => {
    const one = bench()
    one.nowMs = 90_000
    one.ask('clock.tick', [])
    one.lead(2)
    one.nowMs = 90_100
    one.ask('leases.acquire', acquire('a', 'x'))
    const stale = { stamp: { term: 1, nowMs: 95_000 } }
    expect(one.ask('leases.acquire', acquire('a', 'y'), stale)).toMatchObject({
      refused: 'stale-stamp',
    })
    expect(one.machine.state.timeMs).toBe(90_100)
    one.lead(1)
    expect(one.machine.state.clockTerm, 'a late word of an old leader').toBe(2)
  })

  it('RF-9: without a leader’s stamp nothing is carried out', () => {
    const machine = clusterMachine()
    const command = { call: 'leases.acquire', in: 'shop', with: acquire('a', 'x') }
    expect(decodeAnswer(machine.apply(1, encodeCommand(command)))).toMatchObject({
      refused: 'stale-stamp',
    })
  })
})

describe('commands', () => {
  it('RF-9, G-1: a repeated command is answered as the first time, also after a restore', () => {
    const one = bench()
    const session = String(value(one.ask('sessions.open', [])))
    const number = { session, sequence: 1, lowest: 1 }
    const add = (): unknown => value(one.ask('records.increment', ['s', 'n', 5n], { number }))
    expect([add(), add()]).toEqual([5n, 5n])
    const restored = bench()
    restored.machine.restore([...one.machine.snapshot()])
    expect(
      value(restored.ask('records.increment', ['s', 'n', 5n], { number })),
      'after a restore',
    ).toBe(5n)
    expect(restored.ask('records.increment', ['s', 'n', 5n])).toMatchObject({ answer: 10n })
  })

  it('RF-9: an expired session’s command is refused, not carried out again', () => {
    const one = bench()
    const session = String(value(one.ask('sessions.open', [])))
    const number = { session, sequence: 1, lowest: 1 }
    one.ask('records.increment', ['s', 'n', 5n], { number })
    one.nowMs = 700_000
    expect(one.ask('records.increment', ['s', 'n', 5n], { number })).toMatchObject({
      refused: 'session-over',
    })
    expect(value(one.ask('records.increment', ['s', 'n', 0n]))).toBe(5n)
  })

  it('G-9: whatever bytes come, the machine answers and goes on', () => {
    const one = bench()
    const draw = numbers(7)
    const calls = ['leases.acquire', 'records.putAll', 'registry.register', 'restore.piece', 'x']
    const junk: readonly unknown[] = [null, 1.5, '', 'a', [], {}, -1n, [[]], { name: {} }]
    for (let index = 0; index < 2_000; index += 1) {
      const values = [1, 2, 3].map(() => junk[draw(junk.length)])
      const answer = one.ask(calls[draw(calls.length)] ?? '', values)
      expect('error' in answer || 'answer' in answer).toBe(true)
      one.machine.apply(
        index,
        Uint8Array.from({ length: draw(40) }, () => draw(256)),
      )
    }
    expect(() => [...one.machine.snapshot()]).not.toThrow()
    expect(value(one.ask('leases.acquire', acquire('a', 'x')))).toBeDefined()
  })

  it('LK-4: errors come back as the same class', () => {
    const one = bench()
    const lease = { name: 'a', token: 9n, attemptId: 'x' }
    expect(() => value(one.ask('leases.renew', [lease, 1_000]))).toThrow(LeaseLostError)
  })
})

/** Many commands of every kind, with time passing and leaders changing. */
function live(one: Bench, seed: number, commands: number): void {
  const draw = numbers(seed)
  const sessions: string[] = []
  const leases: unknown[] = []
  for (let step = 0; step < commands; step += 1) {
    one.nowMs += draw(300)
    const key = `k${draw(12)}`
    const kind = draw(12)
    if (kind === 0) one.lead(one.term + draw(2))
    else if (kind <= 2) {
      const attemptId = `a${draw(30)}`
      const grant = value(
        one.ask('leases.acquire', acquire(key, attemptId, { queueForMs: 1 + draw(2_000) })),
      )
      if (grant !== undefined) leases.push({ name: key, attemptId, ...(grant as object) })
    } else if (kind === 3) one.ask('leases.release', [leases[draw(leases.length)]])
    else if (kind === 4) {
      const opened = value(one.ask('registry.openSession', [{ ttlMs: 600, owner: 'o' }]))
      sessions.push((opened as { id: string }).id)
    } else if (kind <= 6) {
      one.ask('registry.register', [sessions[draw(sessions.length)] ?? '', key, `v${step}`])
    } else if (kind === 7) one.ask('registry.keepAlive', [sessions.at(-1) ?? '', 600])
    else if (kind <= 9) {
      const expiry = draw(2) === 0 ? { expiresInMs: draw(3_000), dueInMs: draw(2_000) } : {}
      const write = { space: `s${draw(3)}`, key, value: `${step}`, expected: 'any', ...expiry }
      one.ask('records.putAll', [[write]])
    } else if (kind === 10) one.ask('records.increment', ['s0', key, BigInt(step)])
    else {
      const session = String(value(one.ask('sessions.open', [])))
      const number = { session, sequence: 1, lowest: 1 }
      one.ask('records.increment', ['s1', key, 1n], { number })
    }
  }
}

describe('members', () => {
  it('RF-9: the same commands lead to the same state, by way of a snapshot or not', () => {
    for (let seed = 1; seed <= 15; seed += 1) {
      const whole = bench()
      const half = bench()
      live(whole, seed, 300)
      live(half, seed, 300)
      expect(text(half), `seed ${seed}`).toBe(text(whole))
      const young = bench(undefined, 10_000)
      young.machine.restore([...half.machine.snapshot()])
      young.nowMs = half.nowMs
      young.term = half.term
      expect(text(young), `seed ${seed}, restored`).toBe(text(whole))
      const old = bench(whole.machine, 10_000)
      old.nowMs = whole.nowMs
      old.lead(whole.term + 1)
      young.lead(young.term + 1)
      live(old, seed + 1_000, 200)
      live(young, seed + 1_000, 200)
      expect(text(young), `seed ${seed}, restored, later`).toBe(text(old))
    }
  })

  it('RF-7: a snapshot is the state when it was taken, however late it is read', () => {
    const one = bench()
    live(one, 3, 300)
    const before = text(one)
    const taken = one.machine.texts()
    live(one, 4, 300)
    expect([...taken].join('')).toBe(before)
    expect(text(one)).not.toBe(before)
  })

  it('RF-7: pieces are small, and a cut-off or damaged snapshot is refused whole', () => {
    const one = bench()
    const value = 'é'.repeat(400_000)
    const put = { space: 's', key: 'k', value, expected: 'any' }
    one.ask('records.putAll', [[put]])
    const pieces = [...one.machine.snapshot()]
    expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThanOrEqual(262_144)
    const other = bench()
    expect(() => other.machine.restore(pieces.slice(0, -1))).toThrow()
    expect(other.machine.state.keyspaces.size).toBe(0)
    other.machine.restore(pieces)
    expect(other.machine.keyspace('shop').records.get('s', 'k', 0)?.value).toBe(value)
  })
})

describe('a backup', () => {
  const restored = (texts: readonly string[]): Bench => {
    const one = bench()
    one.ask('restore.begin', ['r'])
    for (const [at, piece] of texts.entries()) value(one.ask('restore.piece', ['r', at, piece]))
    value(one.ask('restore.end', ['r']))
    return one
  }

  it('LK-2: after a restore tokens, versions and revisions are above any that were given out', () => {
    const one = bench()
    live(one, 5, 300)
    one.nowMs += 5_000
    value(one.ask('leases.acquire', acquire('z', 'before')))
    const backup = [...one.machine.texts()]
    one.nowMs += 5_000
    const later = value(one.ask('leases.acquire', acquire('z', 'after'))) as { token: bigint }
    const two = restored(backup)
    two.nowMs = two.machine.state.timeMs + 5_000
    const next = value(two.ask('leases.acquire', acquire('z', 'new'))) as { token: bigint }
    expect(next.token).toBeGreaterThan(later.token)
    const { registry } = one.machine.keyspace('shop')
    const [change] = two.machine
      .keyspace('shop')
      .registry.after('', registry.list('').revision).changes
    expect(change?.kind, 'a watch of the old cluster').toBe('compacted')
  })

  it('G-9: is taken only by a cluster in which nothing was written, and only whole', () => {
    const one = bench()
    one.ask('records.increment', ['s', 'n', 1n])
    expect(() => value(one.ask('restore.begin', ['r']))).toThrow()
    const backup = [...one.machine.texts()].join('')
    expect(() => restored([backup.slice(0, 100)])).toThrow()
    expect(restored([backup.slice(0, 99), backup.slice(99)]).machine.state.keyspaces.size).toBe(1)
  })
})
