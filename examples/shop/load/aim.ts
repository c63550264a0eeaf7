/**
 * Kills that are spread at random fall mostly on the steps that last long. So each kill is aimed: the
 * steps take turns, and the blow comes when some order is seen in the step whose turn it is, most often
 * at a service that works on it.
 */
import type { chance } from './chance.ts'
import type { ShopClient } from './shop-client.ts'

/** Each step, and the services that have a hand in it. */
const workers: Readonly<Record<string, readonly string[]>> = {
  open: ['order'],
  reserve: ['inventory', 'order'],
  authorize: ['payment', 'account'],
  commit: ['order'],
  capture: ['payment', 'account'],
  sell: ['inventory', 'order'],
  ...(process.env.SHOP_ORDER_VERSION === '2' ? { receipt: ['order'] } : {}),
  confirm: ['order'],
}

/** So many turns without one kill are no bad luck any more. */
const turnsEnough = 5
/** How long to wait for an order to come into the step. */
const waitMaxMs = 2_000

export interface Shot {
  readonly step: string
  /** Was an order in the step just now? Else the wait was in vain. */
  readonly hit: boolean
  /** Whom to kill; `undefined`: anyone. */
  readonly service: string | undefined
}

export interface Aim {
  /** Waits for the next step's moment. The kill that follows is reported with `fired`. */
  next(): Promise<Shot>
  fired(shot: Shot, unfinished: number): void
  /** The table, line by line. */
  table(): readonly string[]
  /** Empty: every step that had its turns had a kill, each with enough orders under way. */
  problems(unfinishedMin: number): readonly string[]
}

export function aim(client: ShopClient, draw: ReturnType<typeof chance>): Aim {
  const tally = new Map(Object.keys(workers).map((step) => [step, { kills: 0, inVain: 0 }]))
  const underWay: number[] = []

  return {
    async next() {
      // The step with the fewest tries so far, so that none is left out.
      const tries = [...tally].map(([step, { kills, inVain }]) => [step, kills + inVain] as const)
      const [step = ''] = tries.reduce((least, each) => (each[1] < least[1] ? each : least))
      const endBy = performance.now() + waitMaxMs
      let hit = false
      while (!hit && performance.now() < endBy) hit = (await client.runningSteps()).has(step)
      const service = draw.integer(4) === 0 ? undefined : draw.pick(workers[step] ?? [])
      return { step, hit, service }
    },
    fired({ step, hit }, count) {
      underWay.push(count)
      const row = tally.get(step)
      if (row !== undefined) row[hit ? 'kills' : 'inVain'] += 1
    },
    table() {
      const rows = [...tally].map(
        ([step, { kills, inVain }]) =>
          `  ${step.padEnd(10)} ${String(kills).padStart(5)} ${String(inVain).padStart(8)}`,
      )
      const least = Math.min(...underWay)
      const middle = [...underWay].sort((a, b) => a - b)[Math.floor(underWay.length / 2)]
      return [
        '  step       kills  in vain',
        ...rows,
        `  unfinished orders at a kill: at least ${least}, median ${middle}`,
      ]
    },
    problems(unfinishedMin) {
      const missed = [...tally]
        .filter(([, { kills, inVain }]) => kills === 0 && inVain >= turnsEnough)
        .map(([step]) => step)
      const idle = underWay.filter((count) => count < unfinishedMin).length
      return [
        ...missed.map((step) => `no kill fell while an order was in step ${step}`),
        ...(idle > 0 ? [`${idle} kills fell with fewer than ${unfinishedMin} orders open`] : []),
      ]
    },
  }
}
