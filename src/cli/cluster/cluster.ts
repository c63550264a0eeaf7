/**
 * `holdfast cluster`: runs a member, and does for a running cluster what its operator can do. Every command
 * says what it did in words or, with `--json`, as one line of JSON, and ends with 0: done; 1: it did not
 * happen; 2: nobody can say whether it happened; 3: the command line is wrong.
 */
import process from 'node:process'
import { isHoldfastError } from '../../errors.ts'
import { type Outcome, operatorCommands } from './commands.ts'
import { type ClusterRequest, requestOf } from './request.ts'
import { startMember } from './start.ts'

export const clusterUsage = `usage: holdfast cluster COMMAND [options]

  start     runs one member here until it is told to leave (SIGTERM)
              --id ID --listen HOST:PORT --folder DIR [--advertise HOST:PORT]
              --peers ID=HOST:PORT,…   the members the cluster begins with; leave it out for a member
                                       that joins a running cluster with "add"
              [--election-ms 1000] [--read-by quorum|lease] [--snapshot-every-entries 100000]
  status    who is a member, who leads, how far each is
  add ID HOST:PORT                     lets a started member listen in, and waits until it has caught up
              [--no-wait]
  promote ID                           gives it a vote
  remove ID                            for good: the id never comes back
  replace --voters A,B,C [--learners D]  several at once
  transfer ID                          makes it the leader
  snapshot                             every member writes one and lets its log go
  backup FILE                          the whole state into a new file
  restore FILE                         into a new, empty cluster

  --members HOST:PORT,…  any members; the others are found through them (all but start)
  --secret-file FILE     the secret, or several, one in a line; else HOLDFAST_CLUSTER_SECRET; without one
                         only loopback addresses are allowed
  --cluster-id NAME      default holdfast
  --json                 one line of JSON

Exit code 0: done. 1: it did not happen. 2: it may have happened. 3: bad usage.`

/** @returns the exit code. @throws {InvalidArgumentError} bad usage. */
export async function clusterCommand(rest: readonly string[]): Promise<number> {
  const request = requestOf(rest)
  if (request === undefined) {
    process.stdout.write(`${clusterUsage}\n`)
    return rest.length === 0 ? 3 : 0
  }
  try {
    if (request.command === 'start') return await startMember(request)
    const outcome = await operatorCommands[request.command](request)
    print(request, outcome)
    return outcome.code ?? 0
  } catch (error) {
    if (!isHoldfastError(error)) throw error
    tell(request, error)
    return { 'not-applied': 1, unknown: 2, invalid: 3 }[error.outcome]
  }
}

function print({ asJson }: ClusterRequest, { json, text }: Outcome): void {
  process.stdout.write(`${asJson ? JSON.stringify(json) : text}\n`)
}

function tell(
  { asJson }: ClusterRequest,
  { code, outcome, message }: Error & { readonly code: string; readonly outcome: string },
): void {
  if (asJson) {
    process.stdout.write(`${JSON.stringify({ error: { code, outcome, message } })}\n`)
    return
  }
  const doubt = outcome === 'unknown' ? ' (it may have happened: look at the status)' : ''
  process.stderr.write(`holdfast: ${message}${doubt}\n`)
}
