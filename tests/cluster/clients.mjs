// Clients that write and read a few records, and keep account of what they asked, when, and what they were told. An
// operation of which nobody could say whether it happened stays open, and its client goes on under a new
// name, for a judge gives each name one operation at a time.
import { clusterStores } from 'holdfast/drivers/cluster'
import { isHoldfastError } from 'holdfast/errors'
import { nodeRuntime } from 'holdfast/runtime/node'
import { pause } from './members.mjs'

const keysOfEpoch = 4

/** Numbers from 0 to 1 that follow from the seed. */
export function chance(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** @param told is called with each write that was committed: when it was asked and answered. */
export function clients(addresses, { count = 6, seed, restMs = 10, told = () => {} }) {
  const runtime = nodeRuntime()
  const history = []
  let stopped = false
  let epoch = 0
  let doubts = 0
  let refusals = 0

  function connect(number) {
    return clusterStores(runtime, {
      ...{ members: addresses, namespace: 'chaos', callTimeoutMs: 4_000, answerTimeoutMs: 1_000 },
      // Some ask any member, so that followers answer, too.
      readFrom: number % 3 === 2 ? 'any' : 'leader',
    })
  }

  async function recorded(process, input, call) {
    const operation = {
      process: process.name,
      input,
      calledAt: performance.now(),
      returnedAt: Infinity,
    }
    history.push(operation)
    try {
      operation.output = await call()
      operation.returnedAt = performance.now()
      if (input.type !== 'get') told(operation.calledAt, operation.returnedAt)
    } catch (error) {
      if (!isHoldfastError(error)) throw error
      if (error.outcome === 'unknown') {
        doubts += 1
        process.life += 1
        process.name = `${process.number}.${process.life}`
      } else {
        refusals += 1
        history.splice(history.lastIndexOf(operation), 1)
      }
    }
    return operation.output
  }

  const get = (process, records, key) =>
    recorded(process, { type: 'get', key }, async () => {
      const found = await records.get('s', key)
      return found === undefined ? 'absent' : { version: found.version, value: found.value }
    })

  function put(process, records, key, value, expected) {
    return recorded(process, { type: 'put', key, value, expected }, async () => {
      const version = await records.put({ space: 's', key, value, expected })
      return version === undefined ? 'conflict' : { version }
    })
  }

  const add = (process, records, key) =>
    recorded(process, { type: 'add', key, by: 1n }, async () => {
      return { sum: await records.increment('s', key, 1n) }
    })

  async function work(number) {
    const random = chance(seed * 1_000 + number)
    const process = { number, life: 0, name: `${number}.0` }
    const { records, close } = connect(number)
    const known = new Map()
    for (let made = 0; !stopped; made++) {
      const key = `${epoch}-${Math.floor(random() * keysOfEpoch)}`
      const value = `${number}:${made}`
      const kind = random()
      if (kind < 0.4) {
        const seen = await get(process, records, key)
        if (seen?.version) known.set(key, seen.version)
      } else if (kind < 0.75) await put(process, records, key, value, 'any')
      else if (kind < 0.9) await put(process, records, key, value, known.get(key) ?? 'absent')
      else await add(process, records, key)
      await pause(random() * restMs)
    }
    await close()
  }

  const working = Promise.all(Array.from({ length: count }, (_, number) => work(number)))
  return {
    history,
    /** From now on other keys, so that no judge has to look at one key for minutes. */
    nextEpoch() {
      epoch += 1
    },
    counts: () => ({ operations: history.length, doubts, refusals }),
    /** Ends the work, then reads every key once more. */
    async end() {
      stopped = true
      await working
      const { records, close } = connect(0)
      const process = { number: 'last', life: 0, name: 'last' }
      for (const key of new Set(history.map(({ input }) => input.key))) {
        await get(process, records, key)
        await add(process, records, key)
      }
      await close()
      await runtime.close()
    },
  }
}
