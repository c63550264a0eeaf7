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
  /** Events before everything is healed; up to five times as many if little happened. Default 500. */
  readonly events?: number
  /** Not drawn but given: for a life of one kind. */
  readonly weights?: Partial<Weights>
}

export interface Life {
  readonly seed: number
  readonly elections: number
  readonly eventful: boolean
  readonly reached: ReadonlyMap<string, number>
  readonly broken: string | undefined
}

const electionMs = 100
const heartbeatMs = 20

export interface Weights {
  readonly loss: number
  readonly doubling: number
  readonly crash: number
  readonly cut: number
  readonly churn: number
  readonly snapshot: number
  readonly transfer: number
  readonly read: number
  readonly jump: number
  /** Links stand still for a while, and then all comes late. */
  readonly stall: number
  /** One member's disk does little. */
  readonly slowDisk: boolean
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
export function live({ seed, core, events = 500, ...given }: ScheduleOptions): Life {
  const dice = diceOf(seed)
  const names = ['a', 'b', 'c', 'd', 'e']
  const voters = names.slice(0, dice.pick([1, 2, 3, 3, 3, 3, 4, 5]) ?? 3)
  const churn = dice.pick([0, 0.15, 0.3]) ?? 0
  const weights: Weights = {
    loss: dice.pick([0, 0.02, 0.1]) ?? 0,
    doubling: dice.pick([0, 0.05, 0.2]) ?? 0,
    crash: dice.pick([0, 0.15, 0.4]) ?? 0,
    cut: dice.pick([0, 0.2, 0.4]) ?? 0,
    churn,
    snapshot: churn === 0 ? 0.1 : (dice.pick([0, 0.05, 0.1]) ?? 0),
    transfer: dice.pick([0, 0.02, 0.08]) ?? 0,
    read: dice.pick([0.05, 0.15]) ?? 0,
    jump: dice.pick([0.01, 0.03, 0.06]) ?? 0,
    stall: dice.pick([0, 0, 0.3]) ?? 0,
    slowDisk: dice.happens(0.3),
    ...given.weights,
  }
  const world = group({
    seed,
    voters,
    spares: ['x', 'y'],
    ...(core === undefined ? {} : { core }),
    raft: {
      electionMs,
      heartbeatMs,
      messageBytesMax: dice.pick([24, 48, 100, 10_000]) ?? 48,
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
    // A life in which little happened goes on a while.
    for (let event = 0; event < events || (event < 5 * events && !isEventful(world)); event++) {
      fate.next()
    }
    fate.heal()
  } catch (error) {
    if (!(error instanceof Error)) throw error
    broken = error instanceof Broken ? error.message : `threw: ${error.message}`
  }
  const { invariants, reached } = world
  return { seed, elections: invariants.elections(), eventful: isEventful(world), reached, broken }
}

/** Several leaders, and the log or the group was changed: only then does a life count. */
function isEventful({ invariants, reached }: Group): boolean {
  const changed = reached.has('change done') || reached.has('snapshot installed')
  return invariants.elections() >= 3 && (changed || (reached.get('snapshot taken') ?? 0) > 2)
}

interface Fate {
  next(): void
  heal(): void
}

function fateOf(world: Group, dice: Dice, weights: Weights): Fate {
  const members = [...world.members.values()]
  const cuts = new Set<string>()
  const stalled = new Set<string>()
  let slow = weights.slowDisk ? dice.pick(members) : undefined
  let serial = 0
  let healed = false

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
    if (stalled.size > 0 && isOn(stalled, parcel)) {
      parcels.push(...parcels.splice(at, 1))
      return
    }
    if (!dice.happens(weights.doubling)) parcels.splice(at, 1)
    if (isOn(cuts, parcel) || dice.happens(weights.loss)) lose(parcel)
    else world.deliver(parcel)
  }

  function isOn(links: ReadonlySet<string>, parcel: Parcel): boolean {
    if (links.size === 0 || parcel.kind === 'picture-sent') return false
    const { from, to } = parcel.kind === 'message' ? parcel.message : parcel
    return links.has(`${from}${to}`)
  }

  /** The sender of a snapshot always hears how it went. */
  function lose(parcel: Parcel): void {
    if (parcel.kind === 'picture-sent') world.parcels.push(parcel)
    if (parcel.kind !== 'picture') return
    const { from: to, to: of, picture } = parcel
    const { index } = picture.mark
    world.parcels.push({ kind: 'picture-sent', to, of, index, arrived: false })
  }

  /** A snapshot takes long to put in place: much can happen before it is. */
  function workOn(member: Member): void {
    const long = member.work[0]?.kind === 'install'
    if (long && !healed && dice.happens(weights.crash)) world.crash(member, 0)
    else world.sync(member)
  }

  function settle(rounds: number): void {
    for (let round = 0; round < rounds; round++) {
      for (const member of members) {
        if (member !== slow) while (member.work.length > 0) workOn(member)
      }
      const batch = world.parcels.splice(0)
      if (batch.length === 0) return
      for (const parcel of batch) {
        if (isOn(stalled, parcel)) world.parcels.push(parcel)
        else if (isOn(cuts, parcel)) lose(parcel)
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
    const busy = members.filter(({ work }) => work.length > 0)
    const member = dice.happens(0.4) ? leader() : dice.pick(dice.happens(0.5) ? busy : members)
    if (member === undefined) return
    if (dice.happens(weights.crash)) {
      if (member.state !== undefined) world.crash(member, dice.below(member.work.length + 1))
    }
    const down = dice.pick(members)
    if (down?.state === undefined && down !== undefined) world.start(down)
    if (dice.happens(weights.stall)) {
      const to = dice.pick(members)
      if (stalled.size > 3) stalled.clear()
      else if (to !== undefined) stalled.add(`${member.id}${to.id}`)
    }
    if (dice.happens(weights.cut)) {
      const other = dice.pick(members)
      if (dice.happens(0.5)) cuts.clear()
      else if (dice.happens(0.3)) isolate(member.id)
      else if (dice.happens(0.4)) split()
      else if (other !== undefined) cuts.add(`${member.id}${other.id}`)
    }
  }

  function split(): void {
    const side = new Set(members.filter(() => dice.happens(0.5)))
    for (const left of members) {
      for (const right of members) {
        if (side.has(left) !== side.has(right)) cuts.add(`${left.id}${right.id}`)
      }
    }
  }

  function isolate(id: MemberId): void {
    for (const other of members) {
      cuts.add(`${id}${other.id}`)
      cuts.add(`${other.id}${id}`)
    }
  }

  /** The leader is cut off until there is another, or patience ends; what it was doing stays half done. */
  function depose(again: boolean): void {
    const old = leader()
    if (old === undefined) return
    isolate(old.id)
    for (let round = 0; round < 12 && leader() === old; round++) {
      const next = world.nextDeadlineMs()
      if (next < Infinity) pass(Math.max(1, next - world.nowMs))
      settle(3)
    }
    if (dice.happens(0.5)) cuts.clear()
    // The next one may not come further than a few messages, either.
    if (!again || dice.happens(0.5)) return
    for (let message = dice.below(12); message > 0; message--) {
      deliverOne()
      const member = dice.pick(members)
      if (member !== undefined) world.sync(member)
    }
    depose(false)
  }

  function ask(): void {
    const at = dice.happens(0.6) ? leader() : dice.pick(members)
    if (at?.state === undefined) return
    const share = dice.fraction()
    serial += 1
    if (at.state.lead === undefined && dice.happens(0.5)) return
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
      if (member !== undefined && (member !== slow || dice.happens(0.1))) workOn(member)
    } else if (share < 0.84) ask()
    else if (share < 0.84 + weights.jump) {
      const next = world.nextDeadlineMs()
      if (next < Infinity) pass(Math.max(0, next - world.nowMs) + dice.below(electionMs / 4))
    } else if (share < 0.94) settle(1 + dice.below(6))
    else if (share < 0.955) depose(true)
    else misfortune()
    pass(dice.below(4) / 2)
    // What is never delivered is lost in the end.
    if (world.parcels.length > 80) for (const parcel of world.parcels.splice(0, 40)) lose(parcel)
  }

  /** After all faults: a leader, a command applied, and all its members with the same log. */
  function heal(): void {
    healed = true
    cuts.clear()
    stalled.clear()
    slow = undefined
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
