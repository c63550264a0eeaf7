/**
 * A link to a cluster instead of to one server. It finds the leader, follows it when it changes, and asks
 * again whatever was not answered: under the same number of the same session, so that a command is carried
 * out once however often it was sent, and an unknown outcome becomes known as soon as anybody answers.
 *
 * Only when time is up while a command may be under way, or when its session was forgotten meanwhile, is
 * the outcome unknown to the caller, too.
 */
import {
  ClosedError,
  isHoldfastError,
  LimitExceededError,
  OutcomeUnknownError,
  outcomeOf,
  UnavailableError,
} from '../../errors.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import { commandNumbers } from './command-numbers.ts'
import { type Link, type LinkFollower, link } from './link/link.ts'
import { answeredValue, type CommandAnswer } from './machine/command.ts'
import { readCalls } from './machine/keyspace.ts'

export interface ClusterLinkOptions {
  /** `host:port` of members; not all need be named, and not all need be alive. */
  readonly members: readonly string[]
  readonly namespace: string
  /** How long a call goes on asking. */
  readonly callTimeoutMs: number
  readonly connectTimeoutMs: number
  readonly answerTimeoutMs: number
  /** Who answers questions and watches: the leader, or whichever member is connected. */
  readonly readFrom: 'leader' | 'any'
}

const restMinMs = 20
const restMaxMs = 400

export function clusterLink(runtime: Runtime, options: ClusterLinkOptions): Link {
  const { members, namespace, connectTimeoutMs, answerTimeoutMs } = options
  const { clock, timers, random } = runtime
  const stopped = new AbortController()
  let next = Math.floor(random.fraction('cluster-member') * members.length)
  let hint: string | undefined

  function someMember(): string {
    const address = members[next % members.length]
    next += 1
    return address ?? ''
  }
  function leader(): string {
    const address = hint ?? someMember()
    // One try: if it is wrong or dead, the others are asked in turn.
    hint = undefined
    return address
  }
  const times = { namespace, connectTimeoutMs, answerTimeoutMs }
  const toLeader = link(runtime, { ...times, address: leader })
  const here = options.readFrom === 'any'
  const toReader = here ? link(runtime, { ...times, address: someMember }) : toLeader
  const numbers = commandNumbers(openSession)

  /** Asks until there is an answer. @throws the last failure once `untilMs` has passed. */
  async function insist<Answer>(
    untilMs: number,
    ask: () => Promise<Answer>,
    failed: (error: Error) => void = () => {},
  ): Promise<Answer> {
    for (let restMs = restMinMs; ; restMs = Math.min(restMaxMs, restMs * 2)) {
      try {
        return await ask()
      } catch (error) {
        if (!isHoldfastError(error) || !passes(error)) throw error
        failed(error)
        if (typeof error.details.to === 'string') hint = error.details.to
        if (clock.monotonicMs() + restMs >= untilMs) throw error
        await rest(restMs)
      }
    }
  }

  async function rest(ms: number): Promise<void> {
    const spread = 0.5 + random.fraction('cluster-retry')
    try {
      await sleep(timers, ms * spread, { signal: stopped.signal })
    } catch {
      throw new ClosedError('the link is closed')
    }
  }

  async function openSession(): Promise<string> {
    const untilMs = clock.monotonicMs() + options.callTimeoutMs
    const request = { call: 'sessions.open', with: [] }
    try {
      const answer = await insist(untilMs, () => toLeader.call<CommandAnswer>('write', request))
      const id = answeredValue(answer)
      if (typeof id === 'string') return id
    } catch (error) {
      // A session that was opened and never used is forgotten in time: nothing happened.
      if (outcomeOf(error) !== 'unknown') throw error
      throw new UnavailableError('no leader answered', { cause: error })
    }
    throw new LimitExceededError('the cluster has as many client sessions as it may')
  }

  async function write(call: string, values: readonly unknown[]): Promise<unknown> {
    const untilMs = clock.monotonicMs() + options.callTimeoutMs
    for (;;) {
      const number = await numbers.take()
      let doubt: Error | undefined
      try {
        const answer = await insist(
          untilMs,
          () => {
            const numbered = { call, with: values, number: number.now() }
            return toLeader.call<CommandAnswer>('write', numbered)
          },
          (error) => {
            if (outcomeOf(error) === 'unknown') doubt = error
          },
        )
        if (!('refused' in answer)) return answeredValue(answer)
        numbers.forget(number.session)
        if (doubt !== undefined) throw unknown(call, doubt)
        if (answer.refused === 'too-many-open') {
          throw new LimitExceededError('too many commands of this client are under way')
        }
        // Never sent before, so never carried out: once more, under a new session.
        if (clock.monotonicMs() >= untilMs) throw new UnavailableError('the session is over')
      } catch (error) {
        if (doubt !== undefined && outcomeOf(error) === 'not-applied') {
          if (!answered(error)) throw unknown(call, doubt)
        }
        throw error
      } finally {
        number.done()
      }
    }
  }

  async function read(call: string, values: readonly unknown[]): Promise<unknown> {
    const untilMs = clock.monotonicMs() + options.callTimeoutMs
    const request = { call, with: values, here }
    try {
      return await insist(untilMs, () => toReader.call('read', request))
    } catch (error) {
      // A question that was not answered has done nothing.
      if (outcomeOf(error) !== 'unknown') throw error
      throw new UnavailableError(`"${call}" was not answered`, { cause: error })
    }
  }

  return {
    async call<Answer>(method: string, ...values: readonly unknown[]): Promise<Answer> {
      if (stopped.signal.aborted) throw new ClosedError('the cluster’s link is closed')
      const ask = Object.hasOwn(readCalls, method) ? read : write
      return (await ask(method, values)) as Answer
    },
    follow(method, values, follower: LinkFollower) {
      const request = { call: method, with: values, here }
      return toReader.follow('watch', [request], {
        news: follower.news,
        over(reason) {
          if (isHoldfastError(reason) && typeof reason.details.to === 'string') {
            hint = reason.details.to
          }
          follower.over(reason)
        },
      })
    },
    close() {
      stopped.abort()
      toLeader.close()
      toReader.close()
    },
    get closed() {
      return stopped.signal.aborted
    },
  }
}

/** Nobody has decided anything: another try, or another member, may help. */
function passes(error: Error & { readonly code: string }): boolean {
  return ['unavailable', 'outcome-unknown', 'store-busy'].includes(error.code)
}

/** Did the cluster itself say so, as the outcome of the command? */
function answered(error: unknown): boolean {
  return isHoldfastError(error) && !passes(error) && error.code !== 'closed'
}

function unknown(call: string, cause: Error): OutcomeUnknownError {
  return new OutcomeUnknownError(`"${call}" was sent, and nobody could say what became of it`, {
    cause,
  })
}
