// What does a choice cost, and does it cost more with more hosts? The floor is an index that goes round
// an array.
//
//   node bench/balancing.mjs
//
// One pick and its finish, with 16 calls in flight; median of the rounds, in nanoseconds. Also one update
// of the list by one host. Prints one JSON line per algorithm and number of hosts.

import { nodeRuntime } from 'holdfast/runtime/node'
import { leastActive, roundRobin } from 'holdfast/services/balancing'

const picks = 200_000
const rounds = 7
const { random } = nodeRuntime()

const hostsOf = (count, weightOf) =>
  Array.from({ length: count }, (_, index) => ({
    id: `host-${index}`,
    address: `10.0.0.1:${index}`,
    weight: weightOf(index),
    instance: `host-${index}`,
    metadata: {},
  }))

/** The least that can be called a balancer. */
function bareIndex() {
  let hosts = []
  let next = 0
  const finish = () => {}
  return {
    update(list) {
      hosts = list
    },
    pick() {
      next = (next + 1) % hosts.length
      return { endpoint: hosts[next], finish }
    },
  }
}

const contestants = {
  'bare index': { make: bareIndex, weightOf: () => 1 },
  'round robin': { make: () => roundRobin(random), weightOf: () => 1 },
  'least active': { make: () => leastActive(random), weightOf: () => 1 },
  'least active, weights': {
    make: () => leastActive(random),
    weightOf: (index) => 1 + (index % 7),
  },
}

const nowNs = () => Number(process.hrtime.bigint())
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1]

function pickNs(balancer) {
  const running = Array.from({ length: 16 }, () => balancer.pick())
  const startedNs = nowNs()
  for (let index = 0; index < picks; index++) {
    running[index & 15].finish('succeeded', 1)
    running[index & 15] = balancer.pick()
  }
  const tookNs = (nowNs() - startedNs) / picks
  for (const choice of running) choice.finish('succeeded', 1)
  return tookNs
}

for (const hosts of [10, 1_000, 100_000]) {
  for (const [name, { make, weightOf }] of Object.entries(contestants)) {
    const balancer = make()
    const list = hostsOf(hosts, weightOf)
    balancer.update(list)
    const figures = Array.from({ length: rounds }, () => pickNs(balancer))
    const updates = Array.from({ length: rounds }, (_, round) => {
      const startedNs = nowNs()
      balancer.update(list.slice(round % 2))
      return (nowNs() - startedNs) / 1e6
    })
    const row = { name, hosts, nsPerPick: Math.round(median(figures)) }
    console.log(JSON.stringify({ ...row, updateMs: Number(median(updates).toFixed(3)) }))
  }
}
