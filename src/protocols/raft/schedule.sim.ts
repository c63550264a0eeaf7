/**
 * One random life of a group, from a seed: what happens next is drawn, and so is which kinds of misfortune
 * this seed knows at all, so that some seeds are all crashes and others all churn. First anything may
 * happen and nothing may break; then all is healed, and the group must agree again.
 */
import { chanceFrom, fractionOf, nextChance } from './chance.ts'
import { inForce } from './configurations.ts'
import type { ConfigurationChange } from './contract.ts'
import type { MemberId } from './entry.ts'
import { Broken, type Core, type Group, group, type Member, type Parcel } from './group.sim.ts'
import { membersOf } from './quorum.ts'

export interface ScheduleOptions {
  readonly seed: number
  readonly core?: Core
  /** Events before everything is healed. Default 400. */
  readonly events?: number
}

export interface Life {
  readonly seed: number
  readonly elections: number
  readonly reached: ReadonlyMap<string, number>
  readonly broken: string | undefined
}

const electionMs = 100
const heartbeatMs = 20

interface Weights {
  readonly loss: number
  readonly doubling: number
  readonly crash: number
  readonly cut: number
  readonly churn: number
  readonly snapshot: number
  readonly transfer: number
  readonly read: number
  readonly jump: number
}

interface Dice {
  fraction(): number
  below(limit: number): number
  happens(share: number): boolean
  pick<Choice>(choices: readonly Choice[]): Choice | undefined
}

function diceOf(seed: number): Dice {
  let chance = chanceFrom(seed)
  for (let warmUp = 0; warmUp < 4; warmUp++) chance = nextChance(chance)
  function fraction(): number {
    chance = nextChance(chance)
    return fractionOf(chance)
  }
  const below = (limit: number): number => Math.floor(fraction() * limit)
  return {
    fraction,
    below,
    happens: (share) => fraction() < share,
    pick: (choices) => choices[below(choices.length)],
  }
}

/** Runs one life. Never throws for what the machine does: that is `broken`. */
export function live({ seed, core, events = 400 }: ScheduleOptions): Life {
  const dice = diceOf(seed)
  const names = ['a', 'b', 'c', 'd', 'e']
  const voters = names.slice(0, dice.pick([1, 2, 3, 3, 3, 3, 4, 5]) ?? 3)
  const weights: Weights = {
    loss: dice.pick([0, 0.02, 0.1]) ?? 0,
    doubling: dice.pick([0, 0.05, 0.2]) ?? 0,
    crash: dice.pick([0, 0.15, 0.4]) ?? 0,
    cut: dice.pick([0, 0.2, 0.4]) ?? 0,
    churn: dice.pick([0, 0.1, 0.2]) ?? 0,
    snapshot: dice.pick([0, 0.05, 0.1]) ?? 0,
    transfer: dice.pick([0, 0.02, 0.08]) ?? 0,
    read: dice.pick([0.05, 0.15]) ?? 0,
    jump: dice.pick([0.01, 0.03, 0.06]) ?? 0,
  }
  const world = group({
    seed,
    voters,
    spares: ['x', 'y'],
    ...(core === undefined ? {} : { core }),
    raft: {
      electionMs,
      heartbeatMs,
      messageBytesMax: dice.pick([48, 100, 10_000]) ?? 48,
      inflightMessagesMax: dice.pick([1, 3, 256]) ?? 1,
      uncommittedBytesMax: dice.pick([300, 10_000]) ?? 300,
      readsMax: 8,
      leaseDrift: 0.1,
    },
  })
  for (const member of world.members.values()) member.drift = (dice.fraction() - 0.5) * 0.1
  const fate = fateOf(world, dice, weights)
  let broken: string | undefined
  try {
    for (let event = 0; event < events; event++) fate.next()
    fate.heal()
  } catch (error) {
    if (!(error instanceof Error)) throw error
    broken = error instanceof Broken ? error.message : `threw: ${error.message}`
  }
  const { reached } = world
  return { seed, elections: world.invariants.elections(), reached, broken }
}

interface Fate {
  next(): void
  heal(): void
}

function fateOf(world: Group, dice: Dice, weights: Weights): Fate {
  const members = [...world.members.values()]
  const cuts = new Set<string>()
  let serial = 0

  function pass(ms: number): void {
    world.nowMs += ms
    for (const member of members) {
      if (member.state !== undefined && isDue(member)) world.input(member, { kind: 'time' })
    }
  }

  function isDue(member: Member): boolean {
    const { state } = member
    if (state === undefined) return false
    const deadline = state.lead?.heartbeatAtMs ?? state.electionAtMs
    const now = world.clockOf(member)
    return now >= deadline || (state.transfer !== undefined && now >= state.transfer.deadlineMs)
  }

  function deliverOne(): void {
    const { parcels } = world
    // Mostly the oldest, sometimes any.
    const at = dice.happens(0.7) ? 0 : dice.below(parcels.length)
    const parcel = parcels[at]
    if (parcel === undefined) return
    if (!dice.happens(weights.doubling)) parcels.splice(at, 1)
    if (isCut(parcel) || dice.happens(weights.loss)) lose(parcel)
    else world.deliver(parcel)
  }

  function isCut(parcel: Parcel): boolean {
    if (parcel.kind === 'picture-sent') return false
    const { from, to } = parcel.kind === 'message' ? parcel.message : parcel
    return cuts.has(`${from}${to}`)
  }

  /** The sender of a snapshot always hears how it went. */
  function lose(parcel: Parcel): void {
    if (parcel.kind !== 'picture') return
    const { from: to, to: of, picture } = parcel
    const { index } = picture.mark
    world.parcels.push({ kind: 'picture-sent', to, of, index, arrived: false })
  }

  function settle(rounds: number): void {
    for (let round = 0; round < rounds; round++) {
      for (const member of members) while (member.work.length > 0) world.sync(member)
      const batch = world.parcels.splice(0)
      if (batch.length === 0) return
      for (const parcel of batch) {
        if (isCut(parcel)) lose(parcel)
        else world.deliver(parcel)
      }
    }
  }

  function leader(): Member | undefined {
    let newest: Member | undefined
    for (const member of members) {
      if (member.state?.lead === undefined) continue
      if (member.state.term > (newest?.state?.term ?? -1)) newest = member
    }
    return newest
  }

  function misfortune(): void {
    const member = dice.happens(0.4) ? leader() : dice.pick(members)
    if (member === undefined) return
    if (dice.happens(weights.crash)) {
      if (member.state !== undefined) world.crash(member, dice.below(member.work.length + 1))
    } else if (member.state === undefined && dice.happens(0.1)) world.start(member)
    if (dice.happens(weights.cut)) {
      const other = dice.pick(members)
      if (dice.happens(0.5)) cuts.clear()
      else if (dice.happens(0.3)) isolate(member.id)
      else if (other !== undefined) cuts.add(`${member.id}${other.id}`)
    }
  }

  function isolate(id: MemberId): void {
    for (const other of members) {
      cuts.add(`${id}${other.id}`)
      cuts.add(`${other.id}${id}`)
    }
  }

  function ask(): void {
    const at = dice.happens(0.6) ? leader() : dice.pick(members)
    if (at?.state === undefined) return
    const share = dice.fraction()
    serial += 1
    if (share < weights.read) {
      world.read(at, `read${serial}`, dice.happens(0.5) ? 'quorum' : 'lease')
    } else if (share < weights.read + weights.churn) {
      const change = someChange(at)
      if (change !== undefined) world.input(at, { kind: 'change', id: `change${serial}`, change })
    } else if (share < weights.read + weights.churn + weights.snapshot) {
      world.compact(at, dice.below(4))
    } else if (share < weights.read + weights.churn + weights.snapshot + weights.transfer) {
      const target = dice.pick(inForce(at.state).voters)
      if (target !== undefined)
        world.input(at, { kind: 'transfer', id: `transfer${serial}`, target })
    } else if (share < 0.9) {
      world.propose(at, `command${serial}`)
    } else if (share > 0.98) {
      world.input(at, { kind: 'unreachable', member: dice.pick(members)?.id ?? at.id })
    } else if (share > 0.97) {
      world.input(at, { kind: 'campaign' })
    }
  }

  function someChange(at: Member): ConfigurationChange | undefined {
    if (at.state === undefined) return undefined
    const { voters, learners } = inForce(at.state)
    const member = dice.pick(members)?.id ?? 'x'
    switch (dice.below(4)) {
      case 0:
        return { kind: 'add-learner', member, address: `${member}:1` }
      case 1:
        return { kind: 'promote', member: dice.pick(learners) ?? member }
      case 2:
        if (voters.length < 2 && voters.includes(member)) return undefined
        return { kind: 'remove', member }
      default: {
        const all = [...voters, ...learners].filter(() => dice.happens(0.8))
        const cut = 1 + dice.below(all.length)
        return { kind: 'replace', voters: all.slice(0, cut), learners: all.slice(cut) }
      }
    }
  }

  function next(): void {
    const share = dice.fraction()
    if (share < 0.5) deliverOne()
    else if (share < 0.72) {
      const member = dice.pick(members)
      if (member !== undefined) world.sync(member)
    } else if (share < 0.84) ask()
    else if (share < 0.84 + weights.jump) {
      const next = world.nextDeadlineMs()
      if (next < Infinity) pass(Math.max(0, next - world.nowMs) + dice.below(electionMs / 4))
    } else if (share < 0.95) settle(1 + dice.below(6))
    else misfortune()
    pass(dice.below(4) / 2)
    // What is never delivered is lost in the end.
    if (world.parcels.length > 80) for (const parcel of world.parcels.splice(0, 40)) lose(parcel)
  }

  /** After all faults: a leader, a command applied, and all its members with the same log. */
  function heal(): void {
    cuts.clear()
    for (const member of members) if (member.state === undefined) world.start(member)
    const until = world.nowMs + 30 * electionMs
    const before = world.invariants.committedIndex()
    let patience = 0
    while (world.nowMs < until) {
      settle(6)
      pass(heartbeatMs / 2)
      const at = leader()
      if (at?.state === undefined) continue
      // It may be refused, while leadership is being handed over: then it is asked again.
      if (patience-- <= 0) {
        world.propose(at, 'last')
        patience = 10
      }
      if (at.applied > before && agreed(at)) return
    }
    throw new Broken(`Liveness: no agreement within ${30 * electionMs} ms of calm: ${describe()}`)
  }

  function agreed(at: Member): boolean {
    if (at.state === undefined || at.state.configurations.length === 0) return false
    const configuration = inForce(at.state)
    if (configuration.outgoing.length > 0) return false
    return membersOf(configuration).every((id) => world.member(id).applied === at.applied)
  }

  function describe(): string {
    return members
      .map(({ id, state, applied }) => `${id}: ${state?.role} ${state?.term} applied ${applied}`)
      .join(', ')
  }

  return { next, heal }
}
