// What does a policy cost when nothing goes wrong? That is nearly always, so it must be nearly nothing.
// The floor is the same thing written by hand: an async function with try/catch, a timer set and cleared.
//
//   node bench/resilience.mjs
//
// Each contestant wraps `async () => 1`. Rounds alternate, so that all meet the same noise; the figure is
// the median round, in nanoseconds per call. Prints one JSON line per contestant.
import { compose, retryBudget, retryPolicy, timeoutPolicy } from 'holdfast/resilience'
import { nodeRuntime } from 'holdfast/runtime/node'

const calls = 200_000
const rounds = 9
const work = async () => 1
const runtime = nodeRuntime()
const backoff = { baseMs: 10, capMs: 1_000 }

async function handRetry(attempt) {
  for (let failures = 0; ; ) {
    try {
      return await attempt()
    } catch (error) {
      failures += 1
      if (failures === 3) throw error
      await new Promise((resolve) => setTimeout(resolve, 10 * 2 ** failures))
    }
  }
}

function handTimeout(attempt) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('late')), 1_000)
    attempt().then(
      (value) => {
        clearTimeout(timer)
        resolve(value)
      },
      (error) => {
        clearTimeout(timer)
        reject(error)
      },
    )
  })
}

const retry = retryPolicy(runtime, { attemptsMax: 3, backoff })
const budgeted = retryPolicy(runtime, { attemptsMax: 3, backoff, budget: retryBudget(runtime) })
const timeout = timeoutPolicy(runtime, { timeoutMs: 1_000 })
const both = compose(timeout, budgeted)

const contestants = {
  'the work alone': () => work(),
  'retry by hand': () => handRetry(work),
  'holdfast retry': () => retry.execute(work),
  'holdfast retry with budget': () => budgeted.execute(work),
  'holdfast retry, signal used': () => retry.execute(async ({ signal }) => signal.aborted),
  'timeout by hand': () => handTimeout(work),
  'holdfast timeout': () => timeout.execute(work),
  'timeout and retry by hand': () => handTimeout(() => handRetry(work)),
  'holdfast timeout, retry, budget': () => both.execute(work),
}

async function roundNs(call) {
  const startedNs = process.hrtime.bigint()
  for (let index = 0; index < calls; index++) await call()
  return Number(process.hrtime.bigint() - startedNs) / calls
}

const figures = new Map(Object.keys(contestants).map((name) => [name, []]))
for (let round = 0; round < rounds; round++) {
  for (const [name, call] of Object.entries(contestants)) {
    figures.get(name).push(await roundNs(call))
  }
}
for (const [name, values] of figures) {
  const medianNs = values.toSorted((a, b) => a - b)[values.length >> 1]
  console.log(JSON.stringify({ name, nsPerCall: Math.round(medianNs) }))
}
await runtime[Symbol.asyncDispose]?.()
