/**
 * Multi-Paxos in all orders of events of a small world, the same with a bug in it, and its rules one by one.
 * `HOLDFAST_EXHAUSTIVE=1` explores larger worlds (minutes, and gigabytes).
 */
import { env, stdout } from 'node:process'
import { describe, expect, it } from 'vitest'
import { explore } from '../../simulation/explore.ts'
import type { Configuration } from './contract.ts'
import { type Lockstep, lockstep } from './lockstep.sim.ts'
import { phases, phasesAndNews, type SmallGroup, smallGroup } from './multi-paxos.sim.ts'
import { status } from './paxos.ts'
import { plantedBugs } from './planted-bugs.sim.ts'
import { quorums } from './quorum.ts'

const isLarge = env.HOLDFAST_EXHAUSTIVE === '1'
const three: SmallGroup = {
  members: ['a', 'b', 'c'],
  ...{ campaigns: { a: 1, b: 1 }, commands: { a: 1, b: 1 }, crashes: {}, carries: phases },
}

function tried(name: string, group: SmallGroup, statesMax: number): ReturnType<typeof explore> {
  const report = explore({ ...smallGroup(group), statesMax })
  const { states, transitions, depth, violation } = report
  stdout.write(`${name}: ${states} states, ${transitions} steps, depth ${depth}\n`)
  if (violation !== undefined) {
    stdout.write(`  ${violation.message}: ${violation.path.join(' · ')}\n`)
  }
  return report
}

describe('multi-Paxos, all of it', () => {
  const alone: SmallGroup = { ...three, campaigns: { a: 1 }, commands: { a: 1 } }
  const whole: Readonly<Record<string, SmallGroup>> = {
    'two leaders, a command of the second': { ...three, commands: { b: 1 } },
    'one leader, a command, a crash': { ...alone, crashes: { c: 1 } },
    'one leader, a command, and the news of it': { ...alone, carries: phasesAndNews },
    ...(isLarge ? { 'one leader, two commands': { ...alone, commands: { a: 2 } } } : {}),
  }
  it.each(Object.entries(whole))('PX-5: agreement with %s', (name, group) => {
    const report = tried(name, group, 1_000_000)
    expect(report.violation).toBeUndefined()
    expect(report.complete).toBe(true)
  })

  // Too large to end: the shortest stories, as many as the machine has room for.
  const begun: Readonly<Record<string, SmallGroup>> = {
    'two leaders, a command each': three,
    'two leaders, a command each, a crash': { ...three, crashes: { c: 1 } },
  }
  it.runIf(isLarge).each(Object.entries(begun))(
    'PX-5: so far, agreement with %s',
    (name, group) => {
      expect(tried(name, group, 300_000).violation).toBeUndefined()
    },
  )
})

const begun = ['a stands', 'c hears a: prepare 1a', 'a hears c: promise 1a', 'a proposes']
const overtaken = ['b stands', 'c hears b: prepare 1b', 'b hears c: promise 1b', 'b proposes']

describe('negative controls: each bug is found', () => {
  const worlds: Readonly<Record<string, Partial<SmallGroup>>> = {
    'PX-1: a promise is not persisted': { crashes: { c: 1 }, script: begun },
    'PX-1: an acceptance is not persisted': { crashes: { c: 1 }, script: begun },
    'PX-2: own value, though one was accepted': {},
    'PX-2: the value of a lower ballot': {
      campaigns: { a: 2, b: 1 },
      script: [...begun, ...overtaken],
    },
    'PX-2: acceptances of other ballots count': {
      commands: { a: 1, b: 2 },
      script: [...begun, ...overtaken, 'c hears b: accept 1b 1', 'b hears c: accepted 1b'],
    },
    'PX-3: a hole is skipped, not filled': {
      ...{ campaigns: { a: 2, b: 1 }, commands: { a: 3 } },
      script: [...begun, 'a proposes', 'c hears a: accept 1a 2', ...overtaken.slice(0, 2)],
    },
    'PX-4: quorums that miss each other': {},
  }
  it.each(Object.entries(worlds))('%s', (name, world) => {
    const bug = plantedBugs[name]
    if (bug === undefined) throw new Error('there is no such bug')
    const { violation } = tried(name, { ...three, ...world, bug }, 60_000)
    expect(violation?.message).toMatch(/slot \d is/)
    // The same story, told by the real one, ends well.
    const sound = tried('  without it', { ...three, ...world }, 500)
    expect(sound.violation).toBeUndefined()
  })
})

function configuration(members: readonly string[]): Configuration {
  const addresses = Object.fromEntries(members.map((name) => [name, name]))
  return { members, quorums: quorums(members.length), addresses, retired: [] }
}

/** Three members, of whom `a` leads. */
function led(alpha = 4): Lockstep {
  const group = lockstep({ configuration: configuration(['a', 'b', 'c']), alpha })
  for (const id of ['a', 'b', 'c']) group.add(id)
  group.pass(100)
  group.tell('a', { kind: 'campaign' })
  expect(status(group.state('a')).role).toBe('leader')
  group.messages.length = 0
  return group
}

describe('its rules, one by one', () => {
  it('PX-3: one phase 1 for all slots, and many slots at once in one message', () => {
    const group = led()
    group.silent.add('b').add('c')
    for (let n = 1; n <= 6; n++) group.propose('a', String(n))
    // The window is four slots wide; the others wait.
    expect(group.state('a').lead?.next).toBe(5)
    group.silent.clear()
    group.pass(300)
    for (const id of ['a', 'b', 'c']) expect(group.applied.get(id)).toEqual([...'123456'])
    expect(group.messages.filter(({ kind }) => kind === 'prepare')).toEqual([])
    const accepts = group.messages.filter((one) => one.kind === 'accept' && one.to === 'b')
    expect(accepts).toHaveLength(2)
  })

  it('PX-3: holes are filled with nothing, what was begun is finished, order is by slot', () => {
    const group = led()
    // Only the second of two slots gets through to anybody.
    group.silent.add('b').add('c')
    group.propose('a', 'first')
    group.silent.delete('c')
    group.propose('a', 'second')
    group.silent.delete('b')
    group.silent.add('a')
    expect(group.applied.get('c')).toEqual([])
    group.tell('b', { kind: 'campaign' })
    group.propose('b', 'third')
    group.pass(200)
    expect(group.applied.get('c')).toEqual(['second', 'third'])
    const { entries } = group.state('b').durable
    expect([...entries.values()].map(({ value }) => value.kind)).toEqual([
      ...['nothing', 'command', 'command'],
    ])
    // Who slept learns, and its first command is not there.
    group.silent.clear()
    group.pass(500)
    expect(group.applied.get('a')).toEqual(['second', 'third'])
  })

  it('PX-3: who was away too long gets a snapshot', () => {
    const group = led()
    group.silent.add('c')
    for (let n = 0; n < 20; n++) group.propose('a', `${n}`)
    for (const id of ['a', 'b']) {
      const state = new TextEncoder().encode(JSON.stringify(group.applied.get(id)))
      group.tell(id, { kind: 'snapshot', state, keep: 2 })
    }
    group.propose('a', 'later')
    group.silent.clear()
    group.pass(500)
    expect(group.applied.get('c')).toEqual(group.applied.get('a'))
    expect(group.messages.some(({ kind }) => kind === 'snapshot-piece')).toBe(true)
    group.restart('c')
    group.pass(100)
    expect(group.applied.get('c')).toEqual(group.applied.get('a'))
  })

  it('PX-3: who is outbid waits longer each time, and one gets through', () => {
    const group = led()
    group.silent.add('a')
    for (let n = 0; n < 4; n++) {
      group.tell('b', { kind: 'campaign' })
      group.tell('c', { kind: 'campaign' })
    }
    group.pass(10_000)
    const roles = ['b', 'c'].map((id) => status(group.state(id)).role)
    expect(roles.toSorted()).toEqual(['follower', 'leader'])
  })

  it('PX-3: reads wait for a quorum, and a leader that was overtaken answers none', () => {
    const group = led()
    group.propose('a', 'x')
    group.tell('a', { kind: 'read', id: 'one' })
    expect(group.reads).toEqual(['one@1'])
    group.silent.add('a')
    group.tell('b', { kind: 'campaign' })
    group.propose('b', 'y')
    group.tell('a', { kind: 'read', id: 'stale' })
    group.tell('c', { kind: 'read', id: 'nobody' })
    expect(group.reads).toEqual(['one@1'])
    group.silent.clear()
    group.pass(300)
    expect(group.reads).toEqual(['one@1'])
    expect(group.refused.map(({ id }) => id).toSorted()).toEqual(['nobody', 'stale'])
  })

  it('PX-4: a new member decides from the window on, and the old one comes to know', () => {
    const group = led()
    const change = { members: ['a', 'b', 'd'], addresses: { d: 'd' } }
    group.add('d')
    group.propose('a', 'before')
    group.tell('a', { kind: 'change', id: 'change', change })
    group.pass(1_000)
    expect(status(group.state('a')).configuration.members).toEqual(['a', 'b', 'd'])
    group.silent.add('b')
    group.propose('a', 'after')
    group.pass(300)
    expect(group.applied.get('d')).toEqual(['before', 'after'])
    group.silent.clear()
    group.pass(5_000)
    expect(group.ended.get('c')).toBe('removed')
    // And its name is never a member's again.
    const back = { members: ['a', 'b', 'c'], addresses: { c: 'c' } }
    const leader = ['a', 'b', 'd'].find((id) => status(group.state(id)).role === 'leader')
    group.tell(leader ?? '', { kind: 'change', id: 'back', change: back })
    expect(group.refused.at(-1)).toEqual({ id: 'back', reason: 'invalid-change' })
  })

  it('PX-4: quorums of a change must intersect', () => {
    const group = led()
    const change = { members: ['a', 'b', 'c'], addresses: {}, quorums: { prepare: 1, accept: 2 } }
    group.tell('a', { kind: 'change', id: 'change', change })
    expect(group.refused).toEqual([{ id: 'change', reason: 'invalid-change' }])
  })

  it('PX-4: a member that lost its disk is turned away, and makes no promise', () => {
    const group = led()
    group.propose('a', 'x')
    group.add('c', 'another disk')
    group.pass(300)
    expect(group.ended.get('c')).toBe('lost-disk')
    expect(status(group.state('c')).role).toBe('waiting')
    group.messages.length = 0
    group.tell('b', { kind: 'campaign' })
    expect(group.messages.filter(({ from }) => from === 'c')).toEqual([])
  })

  it('PX-4: negative control: if it took part, what was chosen would be chosen again', () => {
    const told = [true, false].map((takesPart) => {
      const group = led()
      group.silent.add('b')
      group.propose('a', 'x')
      group.silent.delete('b')
      group.silent.add('a')
      group.add('c', 'another disk')
      if (takesPart) group.state('c').durable.admitted = true
      group.tell('b', { kind: 'campaign' })
      group.propose('b', 'y')
      return [group.applied.get('a'), group.applied.get('b')]
    })
    expect(told).toEqual([
      [['x'], ['y']],
      [['x'], []],
    ])
  })

  it('PX-4: a removed member stays until enough of the new ones know what it knows', () => {
    const group = led()
    group.add('d')
    const change = { members: ['b', 'c', 'd'], addresses: { d: 'd' } }
    group.silent.add('d')
    group.tell('a', { kind: 'change', id: 'change', change })
    // Only the old ones know what was chosen before the change, and one of those is away.
    group.silent.add('b')
    group.pass(2_000)
    expect(group.ended.get('a')).toBeUndefined()
    group.silent.delete('d')
    group.pass(5_000)
    expect(group.ended.get('a')).toBe('removed')
    // The change is slot 1, and the window four slots wide.
    expect(status(group.state('d')).commit).toBe(4)
  })

  it('PX-5: with more than f members gone nothing happens, and nothing is lost', () => {
    const group = led()
    group.propose('a', 'x')
    group.silent.add('b').add('c')
    group.propose('a', 'y')
    group.pass(30_000)
    expect(group.applied.get('a')).toEqual(['x'])
    for (const id of ['b', 'c']) group.restart(id)
    group.silent.clear()
    group.pass(10_000)
    for (const id of ['a', 'b', 'c']) expect(group.applied.get(id)).toEqual(['x', 'y'])
  })
})
