/**
 * What a member does for its operators: says where it stands, changes who is a member, and gives out or
 * takes in a whole state.
 */
import { InvalidArgumentError, LimitExceededError, UnavailableError } from '../../errors.ts'
import type { RaftHostStatus } from '../../hosts/raft/contract.ts'
import type { ConfigurationChange } from '../../protocols/raft/contract.ts'
import type { Configuration, MemberId } from '../../protocols/raft/entry.ts'
import type { Timer } from '../../runtime/clock.ts'
import type { LinkService } from './link/link-server.ts'
import type { CommandAnswer } from './machine/command.ts'
import { restoreCalls } from './machine/restore.ts'
import { type MemberParts, moved, propose } from './member-service.ts'

/** No namespace of a user has this name. */
export const operatorNamespace: string = '\u0000operator'

export interface MemberReport {
  readonly id: MemberId
  readonly address: string
  /** Drawn when the cluster first had a leader; a restored cluster has another one. */
  readonly clusterIncarnation: string
  /** The cluster's clock, as far as this member has applied it. */
  readonly timeMs: number
  readonly namespaces: number
  readonly clientSessions: number
  readonly raft: RaftHostStatus
}

const changeMs = 30_000
const backupsMax = 4
/** A backup that nobody reads on is let go. */
const backupIdleMs = 60_000

interface OpenBackup {
  readonly texts: Iterator<string>
  timer: Timer
}

export function operatorService(parts: MemberParts): LinkService {
  const { runtime, host, machine, clock } = parts
  const backups = new Map<string, OpenBackup>()
  const { state } = machine

  function requireLeader(): void {
    if (host.status().role !== 'leader') throw moved(parts)
  }
  function letGoLater(id: string): Timer {
    const letGo = (): void => void backups.delete(id)
    return runtime.timers.schedule(backupIdleMs, letGo, { background: true })
  }

  const calls = {
    'operator.report': async (): Promise<MemberReport> => ({
      id: host.id,
      address: host.address,
      clusterIncarnation: state.clusterId,
      timeMs: state.timeMs,
      namespaces: state.keyspaces.size,
      clientSessions: state.sessions.size,
      raft: host.status(),
    }),
    async 'operator.change'(change: ConfigurationChange): Promise<Configuration> {
      requireLeader()
      return host.change(change, { timeoutMs: changeMs })
    },
    async 'operator.transfer'(target: MemberId): Promise<void> {
      requireLeader()
      await host.transfer(target, { timeoutMs: changeMs })
    },
    'operator.snapshot': (): Promise<number> => host.compact(),
    async 'operator.backup'(): Promise<string> {
      requireLeader()
      if (backups.size >= backupsMax) {
        throw new LimitExceededError(`${backupsMax} backups are being read`)
      }
      await host.readBarrier('quorum', { timeoutMs: changeMs })
      const id = runtime.random.id('cluster-backup')
      const texts = machine.texts()[Symbol.iterator]()
      backups.set(id, { texts, timer: letGoLater(id) })
      return id
    },
    async 'operator.backupNext'(id: string): Promise<string | undefined> {
      const backup = backups.get(id)
      if (backup === undefined) throw new UnavailableError('this backup is not being read here')
      backup.timer.cancel()
      const next = backup.texts.next()
      if (next.done === true) {
        backups.delete(id)
        return undefined
      }
      backup.timer = letGoLater(id)
      return next.value
    },
    async 'operator.restore'(call: string, ...values: unknown[]): Promise<CommandAnswer> {
      const stamp = clock.stamp()
      if (stamp === undefined) throw moved(parts)
      if (!Object.hasOwn(restoreCalls, call)) throw new InvalidArgumentError(`no "${call}"`)
      return propose(host, { call, with: values, stamp })
    },
  }
  return { calls, sources: {} }
}
