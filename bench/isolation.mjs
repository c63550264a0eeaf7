// How long does it take to judge the isolation of a history? Lists and registers, of stores that keep
// their promise and of some that do not.
//
//   node bench/isolation.mjs [--rounds 3] [--transactions 10000,50000]
//
// The floor is one pass over the same history that only adds up the lengths of what was read. Figures are
// the best round; compare them with the floor of the same run, never across machines.
import { parseArgs } from 'node:util'
import { checkIsolation } from 'holdfast/verification/isolation'

const { values: args } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    transactions: { type: 'string', default: '10000,50000' },
  },
})
const rounds = Number(args.rounds)
const nowMs = performance.now.bind(performance)

/** Whole numbers below a bound, the same in every run. */
function chance(seed) {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/** Ten clients on ten keys at a time, a hundred writes to a key; `staleness` in transactions, 0: none. */
function recorded({ model, transactions, staleness }) {
  const random = chance(1)
  const past = new Map()
  const history = []
  for (let index = 0; index < transactions; index++) {
    const round = Math.floor(index / 400)
    const seenUntil = index - (staleness === 0 ? 0 : random(staleness))
    const steps = []
    const writes = new Map()
    for (let count = 1 + random(4); count > 0; count--) {
      const key = `${round}.${random(10)}`
      const versions = past.get(key) ?? []
      const old = versions.findLast(({ index: at }) => at < seenUntil)?.value ?? []
      const value = writes.get(key) ?? old
      if (random(2) === 0) {
        steps.push({
          kind: 'read',
          key,
          value: model === 'list-append' ? value : (value.at(-1) ?? null),
        })
        continue
      }
      const written = index * 8 + count
      steps.push({ kind: model === 'list-append' ? 'append' : 'write', key, value: written })
      writes.set(key, [...value, written])
    }
    for (const key of writes.keys()) {
      const versions = past.get(key) ?? []
      past.set(key, versions)
      const own = steps.flatMap((one) =>
        one.kind !== 'read' && one.key === key ? [one.value] : [],
      )
      versions.push({ index, value: [...(versions.at(-1)?.value ?? []), ...own] })
    }
    const calledAt = index * 2
    const times = { calledAt, returnedAt: calledAt + 15 }
    history.push({ process: index % 10, status: 'committed', steps, ...times })
  }
  return history
}

function best(work) {
  let least = Number.POSITIVE_INFINITY
  for (let round = 0; round < rounds; round++) {
    const startMs = nowMs()
    work()
    least = Math.min(least, nowMs() - startMs)
  }
  return least
}

for (const transactions of args.transactions.split(',').map(Number)) {
  for (const model of ['list-append', 'rw-register']) {
    for (const staleness of [0, 20]) {
      const history = recorded({ model, transactions, staleness })
      const floorMs = best(() =>
        history.reduce((sum, { steps }) => {
          return sum + steps.reduce((length, { value }) => length + (value?.length ?? 1), 0)
        }, 0),
      )
      let report
      const coldMs = nowMs()
      checkIsolation(history, { model })
      const firstMs = nowMs() - coldMs
      const leastMs = best(() => {
        report = checkIsolation(history, { model })
      })
      console.log(
        JSON.stringify({
          model,
          transactions,
          store: staleness === 0 ? 'strict serializable' : 'stale reads',
          verdict: report.verdict,
          anomalies: report.counts,
          edges: report.edges,
          floorMs: Number(floorMs.toFixed(1)),
          firstMs: Math.round(firstMs),
          bestMs: Math.round(leastMs),
          transactionsPerSecond: Math.round(transactions / (leastMs / 1_000)),
          heapMb: Math.round(process.memoryUsage().heapUsed / 2 ** 20),
        }),
      )
    }
  }
}
