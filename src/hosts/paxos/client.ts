/**
 * Asks a group until it answers: one member after another, or the leader if one is named. What is repeated
 * carries the same number, so it is done once whatever was lost on the way.
 *
 * One command at a time: calls wait for each other.
 */
import {
  ClosedError,
  InvalidArgumentError,
  OutcomeUnknownError,
  UnavailableError,
} from '../../errors.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { decode, encode } from './codec.ts'
import type { ClientAnswer, ClientRequest } from './contract.ts'

export interface PaxosClient extends AsyncDisposable {
  /**
   * Has the command carried out, once. `command` has at most 16,384 bytes, so that it fits a datagram;
   * `timeoutMs` is 1 to 600,000.
   * @throws {UnavailableError} no session could be had: nothing happened.
   * @throws {OutcomeUnknownError} no answer in time, or the session is forgotten: it may have happened, or
   * may yet.
   */
  command(command: Uint8Array, options: { readonly timeoutMs: number }): Promise<Uint8Array>
  /** Sees every command that had ended before. @throws {UnavailableError} no answer in time. */
  question(question: Uint8Array, options: { readonly timeoutMs: number }): Promise<Uint8Array>
  close(): Promise<void>
}

export interface PaxosClientOptions {
  /** This client's own `host:port`; port 0 for any. */
  readonly address: string
  /** Where the members are. */
  readonly members: readonly string[]
  /** Asks again, somewhere else, after this. Default 500. */
  readonly retryMs?: number
}

/** In base64 and JSON, with all around it, this fits a datagram of 65,507 bytes. */
const commandBytesMax = 16_384
const timeoutMsMax = 600_000

function requireFitting(bytes: Uint8Array, timeoutMs: number): void {
  if (bytes.length > commandBytesMax) {
    throw new InvalidArgumentError(
      `a command of ${bytes.length} bytes; expected at most ${commandBytesMax}`,
    )
  }
  if (!(timeoutMs >= 1 && timeoutMs <= timeoutMsMax)) {
    throw new InvalidArgumentError(`timeoutMs is ${timeoutMs}; expected 1 to ${timeoutMsMax}`)
  }
}

export async function paxosClient(
  runtime: Runtime,
  { address, members, retryMs = 500 }: PaxosClientOptions,
): Promise<PaxosClient> {
  const { timers, clock, random } = runtime
  let heard: (answer: ClientAnswer) => void = () => {}
  const socket = await runtime.network.bind(address, ({ bytes }) => {
    try {
      heard(decode<ClientAnswer>(bytes))
    } catch {
      // Not an answer: anybody can send a datagram.
    }
  })
  let target = Math.floor(random.fraction('paxos client') * members.length)
  let leader: string | undefined
  let session: string | undefined
  let sequence = 0
  let turn: Promise<unknown> = Promise.resolve()
  let isClosed = false

  /** The answer, or `undefined` if none came in time. */
  function exchange(request: ClientRequest, untilMs: number): Promise<ClientAnswer | undefined> {
    return new Promise((resolve) => {
      let timer = timers.schedule(0, () => {})
      const finish = (answer: ClientAnswer | undefined): void => {
        timer.cancel()
        heard = () => {}
        resolve(answer)
      }
      const ask = (): void => {
        timer.cancel()
        const leftMs = untilMs - clock.monotonicMs()
        if (leftMs <= 0 || isClosed) {
          finish(undefined)
          return
        }
        socket.send(leader ?? members[target % members.length] ?? '', encode(request))
        timer = timers.schedule(Math.min(retryMs, leftMs), askElsewhere)
      }
      const askElsewhere = (): void => {
        leader = undefined
        target++
        ask()
      }
      heard = (answer) => {
        if (answer.id !== request.id) return
        if (answer.kind !== 'elsewhere') return finish(answer)
        leader = answer.address
        if (leader === undefined) target++
        timer.cancel()
        // A little rest: whoever does not lead may know no better yet.
        timer = timers.schedule(retryMs / 10, ask)
      }
      ask()
    })
  }

  const newId = (): string => random.id('paxos request')

  async function openSession(untilMs: number): Promise<string> {
    const answer = await exchange({ kind: 'open', id: newId() }, untilMs)
    if (answer?.kind !== 'opened') throw new UnavailableError('the group did not answer in time')
    sequence = 0
    return answer.session
  }

  async function command(bytes: Uint8Array, untilMs: number): Promise<Uint8Array> {
    session ??= await openSession(untilMs)
    sequence++
    const id = newId()
    const answer = await exchange({ kind: 'do', id, session, sequence, command: bytes }, untilMs)
    if (answer?.kind === 'done') return answer.answer
    session = undefined
    throw new OutcomeUnknownError('no answer in time: the command may be carried out, or not')
  }

  async function question(bytes: Uint8Array, untilMs: number): Promise<Uint8Array> {
    const answer = await exchange({ kind: 'ask', id: newId(), question: bytes }, untilMs)
    if (answer?.kind === 'done') return answer.answer
    throw new UnavailableError('the group did not answer in time')
  }

  function inTurn(work: (untilMs: number) => Promise<Uint8Array>, timeoutMs: number) {
    const done = turn.then(() => {
      if (isClosed) throw new ClosedError('the client is closed')
      return work(clock.monotonicMs() + timeoutMs)
    })
    turn = done.catch(() => undefined)
    return done
  }

  async function close(): Promise<void> {
    isClosed = true
    await socket.close()
  }

  return {
    async command(bytes, { timeoutMs }) {
      requireFitting(bytes, timeoutMs)
      return inTurn((untilMs) => command(bytes, untilMs), timeoutMs)
    },
    async question(bytes, { timeoutMs }) {
      requireFitting(bytes, timeoutMs)
      return inTurn((untilMs) => question(bytes, untilMs), timeoutMs)
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}
