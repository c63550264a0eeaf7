/**
 * A member of a cluster, from its folder to its first turn: what the disk remembers is put into the state
 * and the machine, the door is opened, and only then does anything happen.
 */
import { ConfigurationError } from '../../errors.ts'
import { silentObserver } from '../../observability/observer.ts'
import type { RaftOutputs } from '../../protocols/raft/contract.ts'
import { raft } from '../../protocols/raft/raft.ts'
import type { RaftState } from '../../protocols/raft/state.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { type Seal, seal } from '../seal/seal.ts'
import type { RaftHost, ReplicatedMachine } from './contract.ts'
import type { Self } from './dial.ts'
import { heldPort } from './held-port.ts'
import { type MemberGround, member } from './member.ts'
import { protocolVersions } from './message-codec.ts'
import { type HostLimits, limitsOf, type RaftHostOptions } from './options.ts'
import { type Pins, pins } from './pins.ts'
import { noSeal, requireLoopback } from './plain-seal.ts'
import { raftStorage } from './storage.ts'
import type { RaftStorage, RaftStorageOptions } from './storage-contract.ts'

/** What trials put in place of the real thing. */
export interface RaftHostParts {
  openStorage(runtime: Runtime, options: RaftStorageOptions): Promise<RaftStorage>
  /** `undefined`: by the secrets, or loopback only. */
  readonly seal: Seal | undefined
  readonly versions: { readonly min: number; readonly max: number }
  /** What the machine answers may be changed here before it is carried out: for planted bugs. */
  outputs(outputs: RaftOutputs): RaftOutputs
  /** Takes any disk for the one a member always had: a planted bug. */
  readonly forgetful: boolean
  /** Told the state after each turn, for invariants. */
  watch(state: RaftState): void
}

const realParts: RaftHostParts = {
  openStorage: raftStorage,
  seal: undefined,
  versions: protocolVersions,
  outputs: (outputs) => outputs,
  forgetful: false,
  watch() {},
}

/**
 * Starts a member and keeps it running until it is closed, removed, or its disk fails: see `stopped`.
 * It does not wait for a leader.
 * @throws {InvalidArgumentError} @throws {ConfigurationError} the options, or a folder of another member.
 * @throws {CorruptDataError} what is on the disk is damaged beyond what a crash can do.
 */
export function raftHost(options: RaftHostOptions): Promise<RaftHost> {
  return raftHostOf(options, realParts)
}

/** For trials: the same host with some of its parts replaced. */
export async function raftHostOf(
  options: RaftHostOptions,
  replaced: Partial<RaftHostParts>,
): Promise<RaftHost> {
  const parts = { ...realParts, ...replaced }
  const limits = limitsOf(options)
  const { chosen, requireAddress } = sealOf(options, parts)
  requireAddress('listen', options.listen)
  const port = await heldPort(options.runtime.network, options.listen)
  try {
    const runtime = { ...options.runtime, network: port.network }
    return await started({ ...options, runtime }, parts, limits, chosen, requireAddress)
  } catch (error) {
    await port.release().catch(() => {})
    throw error
  }
}

async function started(
  options: RaftHostOptions,
  parts: RaftHostParts,
  limits: HostLimits,
  chosen: Seal,
  requireAddress: (subject: string, address: string) => void,
): Promise<RaftHost> {
  const { runtime, id, folder, bootstrap, segmentBytes, machine } = options
  const storage = await parts.openStorage(runtime, {
    folder,
    id,
    bootstrap,
    ...(segmentBytes === undefined ? {} : { segmentBytes }),
  })
  try {
    await restoreMachine(storage, machine)
    const known = await pins(runtime.disk, folder)
    const { clock, random } = runtime
    const seed = new DataView(random.bytes('raft-seed', 4).buffer).getInt32(0)
    const state = raft({ ...options.raft, id, seed }, storage.restored, clock.monotonicMs())
    const { observer = silentObserver, listen, advertise } = options
    const ground: MemberGround = {
      runtime,
      observer,
      machine,
      limits,
      storage,
      state,
      self: selfOf(options, parts, chosen, storage, known, state),
      listen,
      advertise,
      requireAddress: (address) => requireAddress('the address of a member', address),
      outputs: parts.outputs,
      watch: parts.watch,
    }
    return await member(ground)
  } catch (error) {
    await storage.close().catch(() => {})
    throw error
  }
}

function sealOf(
  options: RaftHostOptions,
  parts: RaftHostParts,
): {
  readonly chosen: Seal
  readonly requireAddress: (subject: string, address: string) => void
} {
  if (parts.seal !== undefined) return { chosen: parts.seal, requireAddress() {} }
  const { runtime, secrets, clusterId } = options
  if (secrets === undefined) return { chosen: noSeal, requireAddress: requireLoopback }
  if (secrets.length === 0) throw new ConfigurationError('secrets is empty')
  return { chosen: seal(runtime, { secrets, clusterId }), requireAddress() {} }
}

function selfOf(
  { id, clusterId }: RaftHostOptions,
  { versions, forgetful }: RaftHostParts,
  chosen: Seal,
  { diskId }: RaftStorage,
  known: Pins,
  { settings }: RaftState,
): Self {
  return {
    id,
    clusterId,
    diskId,
    versions,
    seal: chosen,
    // A dead address must not cost more than an election.
    greetingMs: Math.max(200, Math.min(5_000, settings.electionMs)),
    approve: forgetful ? () => Promise.resolve(true) : known.approve,
  }
}

async function restoreMachine(storage: RaftStorage, machine: ReplicatedMachine): Promise<void> {
  const stored = await storage.readSnapshot()
  if (stored === undefined) return
  try {
    machine.restore(await stored.pieces())
  } finally {
    await stored.close()
  }
}
