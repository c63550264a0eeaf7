/**
 * Runs a member on a Runtime: inputs from the socket, the timer and the disk go into the pure machine, and
 * what it answers is carried out in its order. Nothing is decided here.
 *
 * When a write fails, nobody knows what is on the disk, and a promise may be there or not. So the member
 * stops; its next start reads what is there.
 */
import { ConfigurationError, OutcomeUnknownError, UnavailableError } from '../../errors.ts'
import { changed } from '../../protocols/paxos/changing.ts'
import type { PaxosInput, PaxosOutputs } from '../../protocols/paxos/contract.ts'
import type { Message } from '../../protocols/paxos/message.ts'
import {
  deadlineMs,
  type PaxosState,
  paxos,
  status,
  step,
  take,
} from '../../protocols/paxos/paxos.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import { decode, encode } from './codec.ts'
import type { ClientMessage, PaxosHost, PaxosHostOptions, StopReason } from './contract.ts'
import { onceMachine } from './once.ts'
import { addressBook } from './peers.ts'
import { clientDesk } from './requests.ts'
import { paxosStorage } from './storage.ts'
import { writer } from './writer.ts'

/** Bytes of a datagram, at most. */
const datagramBytesMax = 65_507

/**
 * Starts a member on its folder.
 * @throws {CorruptDataError} its memory is damaged: replace the member, under a new name.
 */
export async function paxosHost(runtime: Runtime, options: PaxosHostOptions): Promise<PaxosHost> {
  const { id, genesis, folder, machine, snapshotEvery = 1_000 } = options
  const { keep = 2 * genesis.alpha, sessionsMax = 10_000 } = options
  const { protocol = { step, take }, watch } = options
  const { clock, timers, tasks, random } = runtime
  // The address comes first: a member that is started twice must not mend the log of the one that lives.
  let heard = (_bytes: Uint8Array, _source: string): void => {}
  const socket = await runtime.network.bind(options.address, ({ bytes, source }) => {
    heard(bytes, source)
  })
  const opened = await paxosStorage(runtime, {
    ...{ folder, id, genesis },
    ...(options.segmentBytes === undefined ? {} : { segmentBytes: options.segmentBytes }),
  }).catch(async (error: unknown) => {
    await socket.close()
    throw error
  })
  const storage = options.storage?.(opened, id) ?? opened
  const once = onceMachine(machine, sessionsMax)
  const state: PaxosState = paxos(
    {
      ...{ id, seed: Math.floor(random.fraction('paxos') * 4_294_967_296) },
      ...(options.electionMs === undefined ? {} : { electionMs: options.electionMs }),
      ...(options.heartbeatMs === undefined ? {} : { heartbeatMs: options.heartbeatMs }),
      messageBytesMax: 16_384,
    },
    storage.restored,
    clock.monotonicMs(),
  )
  const book = addressBook(state)
  let stop: (reason: StopReason) => void = () => {}
  const stopped = new Promise<StopReason>((resolve) => {
    stop = resolve
  })
  let isOver = false
  let applied = 0
  let snapshotAt = 0
  let ticketDurable = 0
  let held: PaxosOutputs['sendAfter'][number][] = []
  let timer = timers.schedule(0, () => {}, { background: true })

  function post(address: string | undefined, message: Message | ClientMessage): void {
    const bytes = encode(message)
    if (address !== undefined && bytes.length <= datagramBytesMax) socket.send(address, bytes)
  }

  const desk = clientDesk({
    post,
    leaderAddress: () => book.addressOf(status(state).leader),
    query: machine.query,
    input,
  })
  const disk = writer(
    storage,
    (work) => tasks.spawn(`paxos ${id} writes`, work),
    (ticket) => {
      ticketDurable = ticket
      input({ kind: 'written', ticket })
    },
    (error) => end({ kind: 'disk', error }),
  )

  function input(given: PaxosInput): void {
    if (isOver) return
    protocol.step(state, given, clock.monotonicMs())
    carryOut(protocol.take(state))
    if (isOver || applied - snapshotAt < snapshotEvery) return
    snapshotAt = applied
    const picture = { kind: 'snapshot', state: once.snapshot(), keep } as const
    protocol.step(state, picture, clock.monotonicMs())
    carryOut(protocol.take(state))
  }

  function carryOut(out: PaxosOutputs): void {
    watch?.(state, out)
    for (const message of out.send) post(book.addressOf(message.to), message)
    if (out.write !== undefined) disk.add(out.write)
    held.push(...out.sendAfter)
    held = held.filter(({ ticket, message }) => {
      if (ticket > ticketDurable) return true
      post(book.addressOf(message.to), message)
      return false
    })
    if (out.install !== undefined) {
      once.restore(out.install.state)
      applied = snapshotAt = out.install.slot
    }
    for (const { slot, value } of out.chosen) {
      applied = slot
      if (value.kind === 'command') desk.applied(once.apply(slot, value.data))
    }
    desk.settled(out)
    if (out.ended !== undefined) end({ kind: out.ended })
    else rearm()
  }

  function rearm(): void {
    timer.cancel()
    const delayMs = Math.min(60_000, Math.max(0, deadlineMs(state) - clock.monotonicMs()))
    timer = timers.schedule(delayMs, () => input({ kind: 'time' }), { background: true })
  }

  function end(reason: StopReason): void {
    if (isOver) return
    isOver = true
    timer.cancel()
    tasks.spawn(`paxos ${id} ends`, async () => {
      await socket.close()
      await storage.close().catch(() => undefined)
      stop(reason)
    })
  }

  heard = (bytes, source) => {
    const message = decoded(bytes)
    if (message === undefined) return
    if ('from' in message) {
      book.heard(message.from, source)
      input({ kind: 'message', message })
    } else desk.asked(message, source)
  }
  input({ kind: 'time' })

  async function close(): Promise<void> {
    end({ kind: 'closed' })
    await stopped
  }

  return {
    id,
    status: () => status(state),
    async change(change, { timeoutMs }) {
      // Says what is wrong with it; the member itself only refuses.
      changed(status(state).configuration, change)
      const reason = desk.change(change)
      if (reason === 'invalid-change') throw new ConfigurationError('the change is not valid')
      if (reason !== undefined) throw new UnavailableError(`the change was refused: ${reason}`)
      const wanted = [...change.members].sort().join()
      const endMs = clock.monotonicMs() + timeoutMs
      while ([...status(state).configuration.members].sort().join() !== wanted) {
        if (isOver || clock.monotonicMs() >= endMs) {
          throw new OutcomeUnknownError('the new members do not decide yet')
        }
        await sleep(timers, 20)
      }
    },
    stopped,
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** What is no message is dropped: anybody can send a datagram. */
function decoded(bytes: Uint8Array): Message | ClientMessage | undefined {
  try {
    return decode<Message | ClientMessage>(bytes)
  } catch {
    return undefined
  }
}
