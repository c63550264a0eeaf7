/**
 * What others ask of a running member: the calls of `RaftHost`.
 */
import { InvalidArgumentError, UnavailableError } from '../../errors.ts'
import type { ConfigurationChange } from '../../protocols/raft/contract.ts'
import type { Configuration, MemberId } from '../../protocols/raft/entry.ts'
import type { RaftHost, WaitOptions } from './contract.ts'
import { successor, type Works } from './member.ts'
import { requireWait } from './options.ts'

export function memberDoor(works: Works): RaftHost {
  const { ground, loop, snapshots, notices } = works
  const { proposals, reads, errands } = works.desk
  const { state, limits, self } = ground
  let closing: Promise<void> | undefined

  async function propose(command: Uint8Array, options: WaitOptions): Promise<Uint8Array> {
    requireWait(options.timeoutMs)
    if (command.length > limits.commandBytesMax) {
      throw new InvalidArgumentError(
        `a command of ${command.length} bytes; expected at most ${limits.commandBytesMax}`,
      )
    }
    return proposals.propose(command, options)
  }

  async function readBarrier(by: 'quorum' | 'lease', options: WaitOptions): Promise<void> {
    requireWait(options.timeoutMs)
    if (by === 'lease' && state.settings.leaseDrift === undefined) {
      throw new InvalidArgumentError('lease reads need a drift bound: see RaftOptions.leaseDrift')
    }
    return reads.wait(by, options)
  }

  async function change(wanted: ConfigurationChange, options: WaitOptions): Promise<Configuration> {
    requireWait(options.timeoutMs)
    requireRunning()
    const { id, end } = errands.begin('change', options)
    loop.push({ kind: 'change', id, change: wanted })
    await end
    return works.status().configuration
  }

  async function transfer(target: MemberId, options: WaitOptions): Promise<void> {
    requireWait(options.timeoutMs)
    requireRunning()
    const { id, end } = errands.begin('transfer', options)
    loop.push({ kind: 'transfer', id, target })
    return end
  }

  function requireRunning(): void {
    if (closing !== undefined) throw new UnavailableError(`member "${self.id}" is closing`)
    if (over) throw new UnavailableError(`member "${self.id}" has stopped`)
  }
  let over = false
  void works.stopped.then(() => {
    over = true
  })

  async function shut(): Promise<void> {
    const heir = successor(state)
    if (heir !== undefined && !over) {
      const { id, end } = errands.begin('transfer', { timeoutMs: 2 * state.settings.electionMs })
      loop.push({ kind: 'transfer', id, target: heir })
      // If nobody takes over, the others elect a leader by themselves.
      await end.catch(() => {})
    }
    await works.stop({ kind: 'closed' })
  }

  function close(): Promise<void> {
    closing ??= shut()
    return closing
  }

  return {
    id: self.id,
    get address() {
      return works.address()
    },
    status: works.status,
    propose,
    readBarrier,
    change,
    transfer,
    async compact() {
      requireRunning()
      return snapshots.save()
    },
    observe: notices.add,
    stopped: works.stopped,
    close,
    [Symbol.asyncDispose]: close,
  }
}
