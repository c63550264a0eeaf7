/**
 * What a member does for clients. Commands go through the leader, because only the leader knows what time
 * it is; questions and watches, too, unless a client asks for this very member, which then makes sure
 * that it is up to date before it answers.
 */
import { InvalidArgumentError, isHoldfastError, UnavailableError } from '../../errors.ts'
import type { RaftHost } from '../../hosts/raft/contract.ts'
import type { LeaseInfo } from '../../ports/lease-store.ts'
import type { StoredRecord } from '../../ports/record-store.ts'
import type { CommandNumber } from '../../protocols/sessions/sessions.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import type { LeaderClock } from './leader-clock.ts'
import type { LinkService, LinkTeller } from './link/link-server.ts'
import {
  type Command,
  type CommandAnswer,
  decodeAnswer,
  encodeAnswer,
  encodeCommand,
} from './machine/command.ts'
import { readCalls } from './machine/keyspace.ts'
import type { ClusterMachine } from './machine/machine.ts'

export interface MemberParts {
  readonly runtime: Runtime
  readonly host: RaftHost
  readonly machine: ClusterMachine
  readonly clock: LeaderClock
  /** How readers make sure that they are up to date. */
  readonly readBy: 'quorum' | 'lease'
}

export interface WriteRequest {
  readonly call: string
  readonly with: readonly unknown[]
  readonly number?: CommandNumber
}

export interface ReadRequest {
  readonly call: string
  readonly with: readonly unknown[]
  /** Any member will do, not only the leader. */
  readonly here: boolean
}

/** Of one command, in bytes. */
export const commandBytesMax: number = 16_777_216
const waitMs = 5_000

export function memberService(parts: MemberParts): (namespace: string) => LinkService {
  const { host, machine, clock } = parts
  const elapsed = sinceLastStamp(parts)

  async function write(namespace: string, { call, with: values, number }: WriteRequest) {
    const stamp = clock.stamp()
    if (stamp === undefined) throw moved(parts)
    const command: Command = {
      call,
      in: namespace,
      with: values,
      stamp,
      ...(number === undefined ? {} : { number }),
    }
    const answer = await proposed(host, command)
    if (isStale(answer)) throw moved(parts)
    return answer
  }

  async function barrier(here: boolean): Promise<void> {
    if (!here && clock.stamp() === undefined) throw moved(parts)
    await host.readBarrier(parts.readBy, { timeoutMs: waitMs })
  }

  async function read(namespace: string, { call, with: values, here }: ReadRequest) {
    const look = Object.hasOwn(readCalls, call) ? readCalls[call] : undefined
    if (look === undefined) throw new InvalidArgumentError(`there is no "${call}"`)
    await barrier(here)
    const at = { nowMs: machine.state.timeMs, newId: '' }
    return aged(call, look(machine.keyspace(namespace), at, ...(values as never[])), elapsed())
  }

  return (namespace) => ({
    calls: {
      write: (request: WriteRequest) => write(namespace, request),
      read: (request: ReadRequest) => read(namespace, request),
      barrier: (here: boolean) => barrier(here),
    },
    sources: {
      watch: (teller, request: ReadRequest) => {
        const stop = watch(parts, namespace, request, teller)
        const stopGuard = endWhenLost(parts, request.here, () => {
          stop()
          teller.over(moved(parts))
        })
        return () => {
          stop()
          stopGuard()
        }
      },
    },
  })
}

export async function propose(host: RaftHost, command: Command): Promise<CommandAnswer> {
  return decodeAnswer(await proposed(host, command))
}

/** @returns the encoded answer. */
async function proposed(host: RaftHost, command: Command): Promise<Uint8Array> {
  const bytes = encodeCommand(command)
  if (bytes.length > commandBytesMax) {
    throw new InvalidArgumentError(
      `a command of ${bytes.length} bytes; expected at most ${commandBytesMax}`,
    )
  }
  return host.propose(bytes, { timeoutMs: waitMs })
}

const stale = new TextEncoder().encode(encodeAnswer({ refused: 'stale-stamp' }))

function isStale(answer: Uint8Array): boolean {
  return answer.length === stale.length && answer.every((byte, at) => byte === stale[at])
}

/** Nothing happened here: ask the leader. */
export function moved({ host, machine }: MemberParts): UnavailableError {
  const { leader } = host.status()
  const to =
    leader === undefined || leader === host.id ? undefined : machine.state.doors.get(leader)
  return new UnavailableError(`member "${host.id}" does not lead`, {
    details: { moved: true, ...(to === undefined ? {} : { to }) },
  })
}

type Source = (
  parts: MemberParts,
  namespace: string,
  request: ReadRequest,
  teller: LinkTeller,
) => () => void

const watch: Source = (parts, namespace, request, teller) => {
  const { bells, keyspace } = parts.machine
  const [first, second] = request.with
  switch (request.call) {
    case 'leases.watch': {
      const name = String(first)
      const attemptId = typeof second === 'string' ? second : undefined
      const isTurn = (id: string): boolean =>
        keyspace(namespace).leases.isTurn(name, id, parts.machine.state.timeMs)
      if (attemptId !== undefined && isTurn(attemptId)) teller.news(0)
      return bells.listen(`${namespace} leases ${name}`, () => {
        if (attemptId === undefined || isTurn(attemptId)) teller.news(0)
      })
    }
    case 'records.watch':
      return bells.listen(`${namespace} records ${String(first)}`, () => teller.news(0))
    case 'registry.watch':
      return watchRegistry(parts, namespace, request, teller)
    default:
      throw new InvalidArgumentError(`there is no "${request.call}"`)
  }
}

const watchRegistry: Source = ({ runtime, host, machine, readBy }, namespace, request, teller) => {
  const [prefix, from] = request.with
  let seen = typeof from === 'bigint' ? from : undefined
  let over = false
  let stop = (): void => {}

  function look(): void {
    if (over) return
    const told = machine.keyspace(namespace).registry.after(String(prefix), seen)
    seen = told.seen
    over = told.changes[0]?.kind === 'compacted'
    for (const change of told.changes) teller.news(change)
  }

  // A member that lags would show an old list, and call a place it has not reached `compacted`.
  runtime.tasks.spawn('begin a watch', async () => {
    try {
      await host.readBarrier(readBy, { timeoutMs: waitMs })
      if (over) return
      look()
      if (!over) stop = machine.bells.listen(`${namespace} registry`, look)
    } catch (error) {
      if (!isHoldfastError(error)) throw error
      if (!over) teller.over(new UnavailableError(error.message))
    }
  })
  return () => {
    over = true
    stop()
  }
}

/** A member that hears of no leader, or that is not asked as one, may miss what goes on. */
function endWhenLost({ host }: MemberParts, here: boolean, lost: () => void): () => void {
  const { term: since } = host.status()
  const stop = host.observe(({ role, leader, term }) => {
    const serves = here ? leader !== undefined : role === 'leader' && term === since
    if (serves) return
    stop()
    lost()
  })
  return stop
}

/**
 * Time passes by commands alone, and when nothing ends, no command may come for hours. What is shown as
 * the rest of a time is therefore shortened by what this member has seen pass since.
 */
function sinceLastStamp({ runtime: { clock }, machine }: MemberParts): () => number {
  let timeMs = machine.state.timeMs
  let atMs = clock.monotonicMs()
  machine.observe(() => {
    if (machine.state.timeMs === timeMs) return
    timeMs = machine.state.timeMs
    atMs = clock.monotonicMs()
  })
  return () => Math.max(0, Math.floor(clock.monotonicMs() - atMs))
}

function aged(call: string, answer: unknown, elapsedMs: number): unknown {
  // What has not ended by the agreed time is not shown as ended, however late it is.
  const left = (restMs: number): number =>
    restMs > 0 ? Math.max(1, restMs - elapsedMs) : restMs - elapsedMs
  const older = (record: StoredRecord): StoredRecord =>
    record.dueInMs === undefined ? record : { ...record, dueInMs: left(record.dueInMs) }
  if (answer === undefined) return undefined
  if (call === 'records.get') return older(answer as StoredRecord)
  if (call === 'records.list' || call === 'records.due')
    return (answer as StoredRecord[]).map(older)
  if (call !== 'leases.list') return answer
  return (answer as LeaseInfo[]).map((info) => ({ ...info, remainingMs: left(info.remainingMs) }))
}
