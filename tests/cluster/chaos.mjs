// The trial: members are killed, stopped, and cut off, one blow after the other, while clients work; then every
// record and counter is judged. Beside it, how long nobody could write after the leader was lost: from the
// blow to the end of the first write that was asked for after it.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { checkLinearizability, counterexample } from 'holdfast/verification'
import { recordModel } from '../../dist/drivers/cluster/record-model.sim.js'
import { chance, clients } from './clients.mjs'
import { pause, threeMembers } from './members.mjs'

/** How often each blow falls, in proportion. Those named after the leader are measured. */
export const blows = {
  'kill the leader': 5,
  'stop the leader': 2,
  'cut off the leader': 2,
  'deafen the leader': 1,
  'kill a follower': 1,
  'stop a follower': 1,
  'cut off a follower': 1,
  'kill all': 1,
}

export async function chaos({
  seconds,
  seed,
  electionMs = 1_000,
  only,
  answersEarly,
  log = () => {},
}) {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-chaos-'))
  const random = chance(seed)
  const begunMs = performance.now()
  const note = (text) =>
    log(`${((performance.now() - begunMs) / 1_000).toFixed(2).padStart(7)} ${text}`)
  const said = (id, text) => note(`  ${id} ${text}`)
  const group = await threeMembers(folder, { electionMs, answersEarly, said })
  await group.untilLed()
  const failovers = []
  let waiting
  const load = clients(group.addresses, {
    seed,
    told(calledAt, returnedAt) {
      if (waiting === undefined || calledAt < waiting.atMs) return
      const { kind, atMs, done } = waiting
      waiting = undefined
      const tookMs = Math.round(returnedAt - atMs)
      note(`  written again after ${tookMs} ms`)
      done()
      failovers.push({ kind, tookMs })
    },
  })
  const counted = {}
  try {
    for (const endMs = performance.now() + seconds * 1_000; performance.now() < endMs; ) {
      await pause(300 + random() * 1_200)
      // Now and then a blow falls while the group still recovers from the last one; it is counted apart.
      const early = random() < 0.15
      if (!early) await group.untilWhole()
      const kind = drawn(random, only)
      const target = await chosen(group, kind, random)
      note(`${kind}: ${target}`)
      counted[kind] = (counted[kind] ?? 0) + 1
      const again = new Promise((done) => {
        waiting = { kind: early ? 'a second blow' : kind, atMs: performance.now(), done }
      })
      const mend = await strike(group, kind, target)
      // A group of three goes on without one; without all of them it has to wait for us.
      if (kind === 'kill all') await pause(random() * 500)
      else await within(again, 15_000)
      await pause(random() * 800)
      await mend(random() < 0.5)
      await within(again, 30_000)
      if (waiting !== undefined) throw new Error(`nobody could write for 30 s after "${kind}"`)
      await group.untilLed()
      load.nextEpoch()
    }
    await load.end()
  } finally {
    await group.close()
    rmSync(folder, { recursive: true, force: true })
  }
  note('judging')
  const report = checkLinearizability(load.history, recordModel, { stepsMax: 3e8 })
  return {
    ...{ seed, seconds, electionMs, blows: counted, ...load.counts(), failovers },
    verdict: report.verdict,
    ...(report.verdict === 'ok' ? {} : { evidence: told(load.history, report) }),
  }
}

/** Waits for it, but not longer. */
async function within(end, ms) {
  const patience = new AbortController()
  const late = setTimeout(ms, undefined, { signal: patience.signal }).catch(() => {})
  await Promise.race([end, late])
  patience.abort()
}

function drawn(random, only) {
  const kinds = Object.entries(blows).filter(([kind]) => only?.includes(kind) ?? true)
  const bag = kinds.flatMap(([kind, weight]) => Array(weight).fill(kind))
  return bag[Math.floor(random() * bag.length)]
}

/** The end of the shortest account of what cannot be, in words. */
function told(history, report) {
  const wrong = counterexample(history, recordModel, report)
  return wrong.slice(-12).map((place) => {
    const { process, input, output, calledAt, returnedAt } = history[place]
    const times = `${calledAt.toFixed(1)}–${returnedAt.toFixed(1)}`
    return `${process} ${times} ${input.key} ${recordModel.describe(input, output)}`
  })
}

async function chosen(group, kind, random) {
  const leader = await group.untilLed()
  if (kind.endsWith('leader')) return leader
  const others = group.ids.filter((id) => id !== leader)
  return others[Math.floor(random() * others.length)]
}

/** @returns what makes it good again; `broken`: connections that were cut off do not come back. */
async function strike(group, kind, target) {
  const others = group.ids.filter((id) => id !== target)
  switch (kind.split(' ')[0]) {
    case 'stop':
      group.signal(target, 'SIGSTOP')
      return async () => group.signal(target, 'SIGCONT')
    case 'cut':
      for (const other of others) {
        group.wires.darken(target, other)
        group.wires.darken(other, target)
      }
      return async (broken) => group.wires.lighten(broken)
    case 'deafen':
      for (const other of others) group.wires.darken(other, target)
      return async (broken) => group.wires.lighten(broken)
    default: {
      const victims = kind === 'kill all' ? group.ids : [target]
      await Promise.all(victims.map((id) => group.kill(id)))
      return async () => {
        for (const id of victims) group.start(id)
      }
    }
  }
}

/** Of some milliseconds. */
export function spread(values) {
  const sorted = values.toSorted((one, other) => one - other)
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
  return { count: sorted.length, p50: at(0.5), p90: at(0.9), max: sorted.at(-1) }
}
