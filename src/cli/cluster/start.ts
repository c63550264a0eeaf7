/**
 * `holdfast cluster start`: one member as a process of its own, which tells what becomes of it line by line.
 */
import process from 'node:process'
import { clusterMember } from '../../drivers/cluster/index.ts'
import { silentObserver } from '../../observability/index.ts'
import { nodeRuntime } from '../../runtime/node/index.ts'
import type { ClusterRequest } from './request.ts'

/** @returns the exit code: 0 if it was told to leave, or was removed from the cluster; else 1. */
export async function startMember(request: ClusterRequest): Promise<number> {
  const { start, secret, clusterId, asJson } = request
  const { id, peers, advertise } = start
  const runtime = nodeRuntime({ process: id })
  const say = (event: string, fields: Readonly<Record<string, unknown>>): void => {
    const text = asJson ? JSON.stringify({ event, ...fields }) : sentence(event, fields)
    if (text !== undefined) process.stdout.write(`${text}\n`)
  }
  try {
    const member = await clusterMember(runtime, {
      ...{ id, listen: start.listen, folder: start.folder, readBy: start.readBy },
      ...{ electionMs: start.electionMs, snapshotEveryEntries: start.snapshotEveryEntries },
      ...(peers ? { peers } : {}),
      ...(advertise ? { advertise } : {}),
      ...(secret ? { secret } : {}),
      ...(clusterId ? { clusterId } : {}),
      observer: { ...silentObserver, event: (name, fields = {}) => say(name, fields) },
    })
    say('memberStarted', { id, address: member.address })
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.once(signal, () => void member.close())
    }
    const reason = await member.stopped
    say('memberStopped', { id, reason: reason.kind })
    return reason.kind === 'closed' || reason.kind === 'removed' ? 0 : 1
  } finally {
    await runtime.close()
  }
}

function sentence(
  event: string,
  { id, address, role, term, leader, reason, message }: Readonly<Record<string, unknown>>,
): string | undefined {
  switch (event) {
    case 'memberStarted':
      return `member ${id} is reached at ${address}`
    case 'memberStopped':
      return `member ${id} has stopped: ${reason}`
    case 'raftRoleChanged': {
      const of = role === 'follower' && leader !== undefined ? ` of ${leader}` : ''
      return `${id} is ${role}${of} in term ${term}`
    }
    case 'raftFault':
    case 'raftDiskFailed':
      return `${id}: ${event}: ${reason}`
    case 'raftStrangerRefused':
      return `turned away: ${message}`
    default:
      return undefined
  }
}
