/**
 * For whoever runs a cluster: where its members stand, who belongs to it, and copies of its state that can
 * be carried away and put into another cluster.
 */
import { CorruptDataError, isHoldfastError, UnavailableError } from '../../errors.ts'
import { crc32c } from '../../hosts/log/checksum.ts'
import type { Seal } from '../../hosts/seal/index.ts'
import type { ConfigurationChange } from '../../protocols/raft/contract.ts'
import type { Configuration, MemberId } from '../../protocols/raft/entry.ts'
import type { Disk } from '../../runtime/disk.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import type { ClusterOptions } from './cluster.ts'
import { doorRuntime, requireMembers, sealOf } from './door-network.ts'
import { link } from './link/link.ts'
import { answeredValue, type CommandAnswer } from './machine/command.ts'
import { type MemberReport, operatorNamespace } from './operator-service.ts'

export type { MemberReport } from './operator-service.ts'

export interface ClusterOperator extends AsyncDisposable {
  /** What each named member says of itself; `undefined` for those that do not answer. */
  status(): Promise<readonly MemberStatus[]>
  /**
   * Lets a member listen in. Start it first, with an empty folder and without `peers`. An id that was ever a
   * member is refused.
   */
  addLearner(id: MemberId, address: string): Promise<Configuration>
  /** Gives a learner that has caught up a vote. */
  promote(id: MemberId): Promise<Configuration>
  /** For good: its id never comes back. */
  remove(id: MemberId): Promise<Configuration>
  /** Several at once, by joint consensus. New voters must be learners that have caught up. */
  replace(voters: readonly MemberId[], learners: readonly MemberId[]): Promise<Configuration>
  /** Makes that member the leader. */
  transfer(id: MemberId): Promise<void>
  /** Each member that answers writes a snapshot now and lets its log go. @returns how many did. */
  snapshot(): Promise<number>
  /** Writes the whole state into a new file. @returns its size in bytes. */
  backup(path: string): Promise<number>
  /**
   * Puts a backup into this cluster, in which nothing was written yet: a new one, with a folder, and best
   * also a `clusterId`, of its own. All tokens, versions and revisions continue far above the backup's.
   * @returns how many namespaces came with it.
   */
  restore(path: string): Promise<number>
  close(): Promise<void>
}

export interface MemberStatus {
  /** As named in `members`. */
  readonly address: string
  readonly report: MemberReport | undefined
}

const connectTimeoutMs = 2_000
/** Longer than any change takes. */
const answerTimeoutMs = 40_000
const patienceMs = 30_000
const againMs = 200

/** @param runtime the process's own; see `nodeRuntime`. */
export function clusterOperator(
  runtime: Runtime,
  options: Pick<ClusterOptions, 'members' | 'secret' | 'clusterId'>,
): ClusterOperator {
  const sealed = sealOf(runtime, options)
  requireMembers(options.members, sealed)
  return operatorOver(runtime, options.members, sealed)
}

export function operatorOver(
  runtime: Runtime,
  members: readonly string[],
  sealed: Seal | undefined,
): ClusterOperator {
  const { clock, timers, disk } = runtime
  const doors = doorRuntime(runtime, sealed)
  const times = { namespace: operatorNamespace, connectTimeoutMs, answerTimeoutMs }
  const toMembers = members.map((address) => ({
    address,
    link: link(doors, { ...times, address: () => address }),
  }))
  let hint: string | undefined
  let next = 0
  const toLeader = link(doors, {
    ...times,
    address() {
      const address = hint ?? members[next % members.length] ?? ''
      hint = undefined
      next += 1
      return address
    },
  })

  /** Looks for the leader as long as provably nothing happened. */
  async function lead<Answer>(call: string, ...values: readonly unknown[]): Promise<Answer> {
    const untilMs = clock.monotonicMs() + patienceMs
    for (;;) {
      try {
        return await toLeader.call<Answer>(call, ...values)
      } catch (error) {
        if (!isHoldfastError(error) || error.code !== 'unavailable') throw error
        if (clock.monotonicMs() + againMs > untilMs) throw error
        if (typeof error.details.to === 'string') hint = error.details.to
        await sleep(timers, againMs)
      }
    }
  }

  const change = (wanted: ConfigurationChange): Promise<Configuration> =>
    lead('operator.change', wanted)

  async function* texts(): AsyncGenerator<string, void, undefined> {
    const id = await lead<string>('operator.backup')
    for (;;) {
      const text = await toLeader.call<string | undefined>('operator.backupNext', id)
      if (text === undefined) return
      yield text
    }
  }

  async function restore(path: string): Promise<number> {
    const text = await readBackup(disk, path)
    const id = runtime.random.id('cluster-restore')
    const ask = async (call: string, ...values: unknown[]): Promise<unknown> =>
      answeredValue(await lead<CommandAnswer>('operator.restore', call, id, ...values))
    await ask('restore.begin')
    for (let at = 0; at * pieceChars < text.length; at += 1) {
      await ask('restore.piece', at, text.slice(at * pieceChars, (at + 1) * pieceChars))
    }
    return Number(await ask('restore.end'))
  }

  async function close(): Promise<void> {
    toLeader.close()
    for (const { link } of toMembers) link.close()
  }

  return {
    status: () =>
      Promise.all(
        toMembers.map(async ({ address, link }) => {
          const report = await orUndefined(link.call<MemberReport>('operator.report'))
          return { address, report }
        }),
      ),
    addLearner: (member, address) => change({ kind: 'add-learner', member, address }),
    promote: (member) => change({ kind: 'promote', member }),
    remove: (member) => change({ kind: 'remove', member }),
    replace: (voters, learners) => change({ kind: 'replace', voters, learners }),
    async transfer(id) {
      await lead('operator.transfer', id)
    },
    async snapshot() {
      const taken = await Promise.all(
        toMembers.map(({ link }) => orUndefined(link.call<number>('operator.snapshot'))),
      )
      return taken.filter((index) => index !== undefined).length
    },
    backup: (path) => writeBackup(disk, path, texts()),
    restore,
    close,
    [Symbol.asyncDispose]: close,
  }
}

async function orUndefined<Value>(work: Promise<Value>): Promise<Value | undefined> {
  try {
    return await work
  } catch (error) {
    if (isHoldfastError(error)) return undefined
    throw error
  }
}

const pieceChars = 131_072
const readBytes = 1_048_576
const headline = 'holdfast-backup 1\n'

/** The text between a headline and a checksum; under its name only once it is whole and on the disk. */
async function writeBackup(
  disk: Disk,
  path: string,
  texts: AsyncIterable<string>,
): Promise<number> {
  const encoder = new TextEncoder()
  const temporary = `${path}.new`
  await disk.remove(temporary)
  const file = await disk.open(temporary, 'create')
  let position = 0
  let checksum = 0
  async function write(text: string): Promise<void> {
    const bytes = encoder.encode(text)
    checksum = crc32c(bytes, checksum)
    await file.writeAt(position, bytes)
    position += bytes.length
  }
  try {
    await write(headline)
    for await (const text of texts) await write(text)
    await write(`crc32c ${hex(checksum)}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
  await disk.rename(temporary, path)
  await disk.syncDirectory(path.slice(0, Math.max(1, path.lastIndexOf('/'))))
  return position
}

const lastLineBytes = 'crc32c 01234567\n'.length

/** @throws {CorruptDataError} not a backup, or not as it was written. */
async function readBackup(disk: Disk, path: string): Promise<string> {
  const file = await disk.open(path, 'read')
  const decoder = new TextDecoder()
  try {
    const end = (await file.sizeBytes()) - lastLineBytes
    let checksum = 0
    let text = ''
    for (let at = 0; at < end; at += readBytes) {
      const bytes = await file.readAt(at, Math.min(readBytes, end - at))
      if (bytes.length === 0) throw new UnavailableError(`"${path}" became shorter`)
      checksum = crc32c(bytes, checksum)
      text += decoder.decode(bytes, { stream: true })
    }
    const last = new TextDecoder().decode(await file.readAt(Math.max(0, end), lastLineBytes))
    if (!text.startsWith(headline)) throw new CorruptDataError(`"${path}" is not a backup`)
    if (last !== `crc32c ${hex(checksum)}\n`) throw new CorruptDataError(`"${path}" is damaged`)
    return text.slice(headline.length)
  } finally {
    await file.close()
  }
}

function hex(checksum: number): string {
  return (checksum >>> 0).toString(16).padStart(8, '0')
}
