/**
 * What an operator asks of a running cluster, one function for each command.
 */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import {
  type ClusterOperator,
  clusterOperator,
  type MemberStatus,
} from '../../drivers/cluster/index.ts'
import { InvalidArgumentError, UnavailableError } from '../../errors.ts'
import { type NodeRuntime, nodeRuntime } from '../../runtime/node/index.ts'
import { sleep } from '../../runtime/sleep.ts'
import { fileSize, progress } from './progress.ts'
import { type ClusterRequest, type OperatorCommand, requireAddress } from './request.ts'
import { type Standing, standingOf, standingText } from './standing.ts'

export interface Outcome {
  readonly json: object
  readonly text: string
  /** Default 0. */
  readonly code?: number
}

type Run = (request: ClusterRequest) => Promise<Outcome>

/** How long a new member may take to catch up before the wait is given up; it goes on by itself. */
const catchUpMaxMs = 600_000
const lookEveryMs = 250
/** So far behind counts as caught up: new entries come all the time. */
const nearEntries = 100

export const operatorCommands: Readonly<Record<OperatorCommand, Run>> = {
  status: (request) =>
    withOperator(request, async (operator, runtime) => {
      const standing = await everyone(request, runtime, operator)
      return {
        json: standing,
        text: standingText(standing),
        code: standing.leader === undefined ? 1 : 0,
      }
    }),
  add: (request) =>
    withOperator(request, async (operator, runtime) => {
      const [id = '', address = ''] = request.words
      requireAddress('the address', address)
      const configuration = await progress(`adding ${id}`, () => operator.addLearner(id, address))
      if (request.waits) await catchUp(id, operator, runtime)
      const caughtUp = request.waits
      const text = `${id} listens in${caughtUp ? ' and has caught up: promote it' : ''}`
      return { json: { done: 'add', id, caughtUp, configuration }, text }
    }),
  promote: (request) =>
    withOperator(request, async (operator) => {
      const [id = ''] = request.words
      const configuration = await progress(`promoting ${id}`, () => operator.promote(id))
      const text = `${id} votes; voters: ${configuration.voters.join(', ')}`
      return { json: { done: 'promote', id, configuration }, text }
    }),
  remove: (request) =>
    withOperator(request, async (operator) => {
      const [id = ''] = request.words
      const configuration = await progress(`removing ${id}`, () => operator.remove(id))
      const text = `${id} has left for good; voters: ${configuration.voters.join(', ')}`
      return { json: { done: 'remove', id, configuration }, text }
    }),
  replace: (request) =>
    withOperator(request, async (operator) => {
      const { voters, learners } = request
      const configuration = await progress('replacing', () => operator.replace(voters, learners))
      const text = `voters: ${configuration.voters.join(', ')}`
      return { json: { done: 'replace', configuration }, text }
    }),
  transfer: (request) =>
    withOperator(request, async (operator) => {
      const [id = ''] = request.words
      await progress(`handing over to ${id}`, () => operator.transfer(id))
      return { json: { done: 'transfer', leader: id }, text: `${id} leads` }
    }),
  snapshot: (request) =>
    withOperator(request, async (operator, runtime) => {
      const { members } = await everyone(request, runtime, operator)
      const addresses = members.map(({ address }) => address)
      const all = clusterOperator(runtime, { members: addresses, ...secretsOf(request) })
      try {
        const taken = await progress('writing snapshots', () => all.snapshot())
        if (taken === 0) throw new UnavailableError('no member wrote a snapshot')
        const text = `${taken} of ${members.length} members wrote a snapshot`
        return { json: { done: 'snapshot', taken, members: members.length }, text }
      } finally {
        await all.close()
      }
    }),
  backup: (request) =>
    withOperator(request, async (operator) => {
      const path = resolve(request.words[0] ?? '')
      if (existsSync(path)) throw new InvalidArgumentError(`${path} is there already`)
      const soFar = (): string => `${fileSize(`${path}.new`)} bytes`
      const sizeBytes = await progress('backup', () => operator.backup(path), soFar)
      const text = `${sizeBytes} bytes in ${path}`
      return { json: { done: 'backup', path, sizeBytes }, text }
    }),
  restore: (request) =>
    withOperator(request, async (operator) => {
      const path = resolve(request.words[0] ?? '')
      if (!existsSync(path)) throw new InvalidArgumentError(`there is no ${path}`)
      const namespaces = await progress('restore', () => operator.restore(path))
      const text = `restored ${namespaces} namespaces from ${path}`
      return { json: { done: 'restore', path, namespaces }, text }
    }),
}

async function withOperator(
  request: ClusterRequest,
  work: (operator: ClusterOperator, runtime: NodeRuntime) => Promise<Outcome>,
): Promise<Outcome> {
  const runtime = nodeRuntime()
  try {
    const { members } = request
    const operator = clusterOperator(runtime, { members, ...secretsOf(request) })
    try {
      return await work(operator, runtime)
    } finally {
      await operator.close()
    }
  } finally {
    await runtime.close()
  }
}

function secretsOf({ secret, clusterId }: ClusterRequest): {
  secret?: readonly string[]
  clusterId?: string
} {
  return { ...(secret ? { secret } : {}), ...(clusterId ? { clusterId } : {}) }
}

/** Those that were named, and all that the newest of them knows of. */
async function everyone(
  request: ClusterRequest,
  runtime: NodeRuntime,
  operator: ClusterOperator,
): Promise<Standing> {
  const named = await operator.status()
  const known = standingOf(named)
  const others = known.members
    .map(({ address }) => address)
    .filter((address) => !request.members.includes(address))
  if (others.length === 0) return known
  const further = clusterOperator(runtime, { members: others, ...secretsOf(request) })
  try {
    const more: readonly MemberStatus[] = await further.status()
    return standingOf([...named, ...more])
  } finally {
    await further.close()
  }
}

/** Until the leader has it almost where it is itself. */
async function catchUp(id: string, operator: ClusterOperator, runtime: NodeRuntime): Promise<void> {
  let seen = 'nothing yet'
  const wait = async (): Promise<void> => {
    const untilMs = runtime.clock.monotonicMs() + catchUpMaxMs
    while (runtime.clock.monotonicMs() < untilMs) {
      for (const { report } of await operator.status()) {
        if (report?.raft.role !== 'leader') continue
        const { followers, commit } = report.raft
        const match = followers.find((follower) => follower.id === id)?.match ?? 0
        seen = `${match} of ${commit} entries`
        if (match > 0 && commit - match <= nearEntries) return
      }
      await sleep(runtime.timers, lookEveryMs)
    }
    throw new UnavailableError(`"${id}" was added, but has not caught up: is it running?`)
  }
  await progress(`${id} catches up`, wait, () => seen)
}
