/**
 * The operator of the trial: exchanges members, hands leadership over, takes snapshots, wherever his member
 * happens to lead. He knows which disks are lost, and never removes so many that the rest cannot decide.
 */
import { isHoldfastError } from '../../errors.ts'
import type { ConfigurationChange } from '../../protocols/raft/contract.ts'
import type { Configuration, MemberId } from '../../protocols/raft/entry.ts'
import { sleep } from '../../runtime/sleep.ts'
import type { RunningMember, Trial } from './raft-member.sim.ts'

export async function operate(member: RunningMember): Promise<void> {
  const { trial, runtime, host, id } = member
  const { world } = trial
  const upTo = (most: number): number => Math.floor(runtime.random.fraction('operator') * most)
  while (member.running() && trial.phase !== 'quiet') {
    await sleep(runtime.timers, 30 + upTo(170))
    if (!member.running()) return
    const { role, configuration } = host.status()
    if (role !== 'leader') continue
    const dice = upTo(100)
    try {
      if (dice < 15) await host.compact()
      else if (dice < 45) {
        const heirs = configuration.voters.filter((voter) => voter !== id)
        await host.transfer(heirs[upTo(heirs.length)] ?? id, { timeoutMs: 300 })
        world.reached('leadership was handed over')
      } else {
        const change = nextChange(trial, configuration, id, upTo)
        if (change === undefined) continue
        await host.change(change, { timeoutMs: 500 })
        world.reached(`a change: ${change.kind}`)
      }
    } catch (error) {
      if (!isHoldfastError(error) || error.outcome === 'invalid') throw error
    }
  }
}

/** One step of an endless exchange: add whoever waits, promote him, remove one that is too many. */
function nextChange(
  { live, founders }: Trial,
  now: Configuration,
  self: MemberId,
  upTo: (most: number) => number,
): ConfigurationChange | undefined {
  const { voters, learners, retired } = now
  const waiting = [...live].find(([, { id }]) => !isNamed(now, id) && !retired.includes(id))
  if (waiting !== undefined && learners.length === 0) {
    const [machine, { id }] = waiting
    return { kind: 'add-learner', member: id, address: `${machine}:7000` }
  }
  const isLost = (id: MemberId): boolean => runsAnother(live, id)
  const [learner] = learners
  if (learner !== undefined) {
    if (isLost(learner)) return { kind: 'remove', member: learner }
    if (upTo(3) > 0) return { kind: 'promote', member: learner }
    const victim = voters.find(isLost) ?? voters[upTo(voters.length)]
    const rest = voters.filter((voter) => voter !== victim)
    return { kind: 'replace', voters: [...rest, learner], learners: [] }
  }
  if (voters.length <= founders.length) return undefined
  const others = voters.filter((voter) => voter !== self || upTo(4) === 0)
  const victim = others.find(isLost) ?? others[upTo(others.length)]
  return victim === undefined ? undefined : { kind: 'remove', member: victim }
}

function isNamed({ voters, learners }: Configuration, id: MemberId): boolean {
  return voters.includes(id) || learners.includes(id)
}

/** The machine of that member lost its disk, or its member was removed. */
function runsAnother(live: Trial['live'], id: MemberId): boolean {
  const there = live.get(id.split('-')[0] ?? '')
  return there !== undefined && there.id !== id
}
