/**
 * Three members, of which one leads: what the models of a broker and of a ZooKeeper have in common. A
 * client may ask any member, and a member that does not lead passes the question on; a write counts once
 * a second member has heard of it; and who has not heard from the leader for a while takes its place.
 *
 * All words between members go over the world's network, so partitions and pauses strike them. Only the
 * vote itself is not played: whoever reaches another member when the leader is overdue leads at once, and
 * there is never more than one.
 */
import { type Link, link } from '../../drivers/cluster/link/link.ts'
import {
  type LinkService,
  type LinkTeller,
  linkServer,
} from '../../drivers/cluster/link/link-server.ts'
import { isHoldfastError, OutcomeUnknownError, UnavailableError } from '../../errors.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import type { Process, World } from '../../simulation/world.ts'

export interface EnsembleOptions {
  /** Its machines are this with `-1`, `-2` and `-3`. */
  readonly machine: string
  readonly port: number
  /** How long nobody hears of the leader before another member takes its place. */
  readonly electionMs: number
  /** What the leader does for a namespace. Made anew for each term: what it remembers ends with the term. */
  serve(leader: Leader, namespace: string): LedService
  /** What each member does by itself, instead of passing it on. */
  own?(member: Member, namespace: string): LinkService
}

export interface LedService extends LinkService {
  /** Called every `tickMs` while the member leads. */
  tick(): void
}

export interface Leader {
  readonly runtime: Runtime
  /** Which member it is: 0 to 2. */
  readonly number: number
  readonly term: number
  /** The world's clock, in whole milliseconds. */
  nowMs(): number
  leads(): boolean
  /**
   * Applies a write once another member has heard of it.
   * @param carried what a new leader does with it that finds it in the mind of a member, but not answered.
   * Default: the same.
   * @throws {UnavailableError} this member does not lead. Nothing happened.
   * @throws {OutcomeUnknownError} nobody answered, or the leader changed: applied or not.
   */
  commit<Value>(apply: () => Value, carried?: () => void): Promise<Value>
}

export interface Member {
  readonly runtime: Runtime
  /** 0 to 2. */
  readonly number: number
  /** Asks the leader, which may be this very member. Errors as from a link. */
  ask<Answer>(method: string, ...values: readonly unknown[]): Promise<Answer>
  /** Follows news of the leader. @returns stops. @throws {UnavailableError} nobody leads. */
  follow(method: string, teller: LinkTeller): () => void
}

export interface Ensemble {
  readonly machines: readonly string[]
  readonly addresses: readonly string[]
  readonly members: readonly Process[]
  /** The process that leads now, if any does. */
  leader(): Process | undefined
  /** Ends the present term; the next begins after `electionMs`. */
  changeLeader(): void
  /** How many terms have begun. */
  terms(): number
}

export const tickMs = 100
const roundMs = 200
const adminNamespace = 'ensemble admin'

/** What a majority remembers, whoever leads it and whoever dies. */
interface Plan {
  term: number
  leader: number | undefined
  /** When the leader last reached another member, by the world's clock. */
  heardMs: number
  /** Writes under way. */
  readonly underWay: Map<string, UnderWay>
}

interface UnderWay {
  /** Has another member heard of it? */
  heard: boolean
  carried(): void
}

export function ensemble(world: World, options: EnsembleOptions): Ensemble {
  const machines = [1, 2, 3].map((number) => `${options.machine}-${number}`)
  const addresses = machines.map((machine) => `${machine}:${options.port}`)
  const plan: Plan = { term: 0, leader: undefined, heardMs: 0, underWay: new Map() }
  const nowMs = (): number => Math.floor(world.nowMs())
  const members = machines.map((machine, number) =>
    world.machine(machine).process('member', async (runtime) => {
      // The first leader was elected before the story begins; one that died has forgotten that it led.
      if (plan.term === 0 && number === 0) begin(plan, number, runtime, nowMs())
      else if (plan.leader === number) plan.leader = undefined
      await run({ runtime, number, addresses, plan, nowMs, options })
    }),
  )
  return {
    machines,
    addresses,
    members,
    leader: () => (plan.leader === undefined ? undefined : members[plan.leader]),
    changeLeader() {
      plan.leader = undefined
      plan.heardMs = nowMs()
    },
    terms: () => plan.term,
  }
}

/** A new term. What another member had heard of and nobody had answered is carried into it, or is lost. */
function begin(plan: Plan, number: number, { random }: Runtime, nowMs: number): void {
  plan.term += 1
  plan.leader = number
  plan.heardMs = nowMs
  const left = [...plan.underWay.values()]
  plan.underWay.clear()
  for (const { heard, carried } of left) {
    if (heard && random.fraction('ensemble-write') < 0.5) attempt(carried)
  }
}

/** Whether it was refused is unknown as well. */
function attempt(work: () => void): void {
  try {
    work()
  } catch (error) {
    if (!isHoldfastError(error)) throw error
  }
}

interface Seat {
  readonly runtime: Runtime
  readonly number: number
  readonly addresses: readonly string[]
  readonly plan: Plan
  readonly options: EnsembleOptions
  nowMs(): number
}

async function run(seat: Seat): Promise<void> {
  const { runtime, number, addresses, plan, options, nowMs } = seat
  const peers = addresses
    .filter((_, other) => other !== number)
    .map((address) => {
      const times = { connectTimeoutMs: roundMs, answerTimeoutMs: 1_000 }
      return link(runtime, { ...times, namespace: adminNamespace, address: () => address })
    })
  /** @returns whether at least one of the others answered. */
  const reach = (method: string, ...values: readonly unknown[]): Promise<boolean> =>
    Promise.any(peers.map((peer) => peer.call(method, ...values))).then(
      () => true,
      () => false,
    )
  const office = leadOffice(seat, reach)
  const admin: LinkService = {
    calls: {
      hear: async () => {},
      async ack(id: string) {
        const one = plan.underWay.get(id)
        if (one !== undefined) one.heard = true
      },
    },
    sources: {},
  }
  const passedOn = passing(seat, office)
  await linkServer(runtime, {
    address: addresses[number] ?? '',
    service: async (namespace) => (namespace === adminNamespace ? admin : passedOn(namespace)),
  })
  runtime.tasks.spawn('the clock of the leader', async () => {
    for (;;) {
      await sleep(runtime.timers, tickMs)
      office.tick()
    }
  })
  for (;;) {
    await sleep(runtime.timers, roundMs)
    if (!(await reach('hear'))) continue
    const overdue = nowMs() - plan.heardMs > options.electionMs
    if (plan.leader === number) plan.heardMs = nowMs()
    else if (overdue) begin(plan, number, runtime, nowMs())
  }
}

interface Office {
  /** The service of the present term. @throws {UnavailableError} this member does not lead. */
  service(namespace: string): LedService
  tick(): void
  /** Ends what is told when the term does. @returns forgets it. */
  tell(teller: LinkTeller): () => void
}

function leadOffice(seat: Seat, reach: (method: string, id: string) => Promise<boolean>): Office {
  const { runtime, number, plan, options, nowMs } = seat
  const services = new Map<string, LedService>()
  const tellers = new Set<LinkTeller>()
  let term = 0

  const leads = (ofTerm: number): boolean => plan.leader === number && plan.term === ofTerm

  function turn(): void {
    if (leads(term)) return
    services.clear()
    for (const teller of [...tellers]) teller.over(moved('the leader changed'))
    tellers.clear()
    if (plan.leader === number) term = plan.term
  }

  async function commit<Value>(
    ofTerm: number,
    apply: () => Value,
    carried: () => void = apply,
  ): Promise<Value> {
    const stale = nowMs() - plan.heardMs > options.electionMs / 2
    if (!leads(ofTerm) || stale) throw moved('this member does not lead')
    const id = runtime.random.id('ensemble-write')
    const one: UnderWay = { heard: false, carried }
    plan.underWay.set(id, one)
    const acknowledged = await reach('ack', id)
    // Otherwise the next leader decides what becomes of it.
    if (leads(ofTerm)) {
      plan.underWay.delete(id)
      if (acknowledged) return apply()
      if (one.heard && runtime.random.fraction('ensemble-write') < 0.5) attempt(carried)
    }
    throw new OutcomeUnknownError('the leader lost its majority before it answered')
  }

  return {
    service(namespace) {
      turn()
      if (!leads(term)) throw moved('this member does not lead')
      const known = services.get(namespace)
      if (known !== undefined) return known
      const mine = term
      const made = options.serve(
        {
          runtime,
          number,
          term: mine,
          nowMs,
          leads: () => leads(mine),
          commit: (apply, carried) => commit(mine, apply, carried),
        },
        namespace,
      )
      services.set(namespace, made)
      return made
    },
    tick() {
      turn()
      for (const service of services.values()) service.tick()
    },
    tell(teller) {
      tellers.add(teller)
      return () => tellers.delete(teller)
    },
  }
}

/** What a member offers to clients: the leader's service, wherever the leader is, and its own. */
function passing(seat: Seat, office: Office): (namespace: string) => LinkService {
  const { runtime, number, addresses, plan, options, nowMs } = seat
  const links = new Map<string, Link>()
  const made = new Map<string, LinkService>()

  function toLeader(namespace: string): Link {
    if (plan.leader === undefined) throw moved('nobody leads')
    const address = addresses[plan.leader] ?? ''
    const key = `${address} ${namespace}`
    const known = links.get(key)
    if (known !== undefined) return known
    const times = { connectTimeoutMs: 500, answerTimeoutMs: 2_000 }
    const linked = link(runtime, { ...times, namespace, address: () => address })
    links.set(key, linked)
    return linked
  }

  async function ask(namespace: string, method: string, values: readonly unknown[]) {
    if (plan.leader === number) {
      return office.service(namespace).calls[method]?.(...(values as never[]))
    }
    try {
      return await toLeader(namespace).call(method, ...values)
    } catch (error) {
      // A client is better off with another member.
      if (error instanceof UnavailableError) throw moved(error.message)
      throw error
    }
  }

  function follow(
    namespace: string,
    method: string,
    teller: LinkTeller,
    values: readonly unknown[],
  ) {
    if (plan.leader !== number) {
      const over = (reason: Error): void => {
        const invalid = isHoldfastError(reason) && reason.outcome === 'invalid'
        teller.over(invalid ? reason : moved(reason.message))
      }
      return toLeader(namespace).follow(method, values, { news: teller.news, over })
    }
    const stop = office.service(namespace).sources[method]?.(teller, ...(values as never[]))
    const forget = office.tell(teller)
    return () => {
      forget()
      stop?.()
    }
  }

  function make(namespace: string): LinkService {
    // What there is to pass on is read from a service that serves nobody.
    const nobody: Leader = {
      runtime,
      number,
      term: 0,
      nowMs,
      leads: () => false,
      commit: async () => never(),
    }
    const { calls, sources } = options.serve(nobody, namespace)
    const member: Member = {
      runtime,
      number,
      ask: async <Answer>(method: string, ...values: readonly unknown[]) =>
        (await ask(namespace, method, values)) as Answer,
      follow: (method, teller) => follow(namespace, method, teller, []),
    }
    const own = options.own?.(member, namespace)
    const passed = <Made>(names: object, pass: (method: string) => Made) =>
      Object.fromEntries(Object.keys(names).map((method) => [method, pass(method)]))
    return {
      calls: {
        ...passed(
          calls,
          (method) =>
            (...values: never[]) =>
              ask(namespace, method, values),
        ),
        ...own?.calls,
      },
      sources: {
        ...passed(
          sources,
          (method) =>
            (teller: LinkTeller, ...values: never[]) =>
              follow(namespace, method, teller, values),
        ),
        ...own?.sources,
      },
    }
  }

  return (namespace) => {
    const known = made.get(namespace) ?? make(namespace)
    made.set(namespace, known)
    return known
  }
}

function never(): never {
  throw new UnavailableError('nobody is served here')
}

/** Nothing happened; ask another member, on another connection. */
export function moved(message: string): UnavailableError {
  return new UnavailableError(message, { details: { moved: true } })
}

/** Any member will do. */
export function anyOf(addresses: readonly string[]): (runtime: Runtime) => string {
  return (runtime) =>
    addresses[Math.floor(runtime.random.fraction('which-member') * addresses.length)] ?? ''
}
