// What becomes of a leader whose disk is full, or does not sync any more: it must stop, the others go on, and
// nothing that was promised is lost. Prints one line of JSON.
//
//   node tests/cluster/disks.mjs full|sync SEED
//
// `full` needs a user who may mount a small disk, and says so if it cannot. `sync` has a member whose runtime's
// disk refuses: no real disk fails on demand.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { clusterStores } from 'holdfast/drivers/cluster'
import { nodeRuntime } from 'holdfast/runtime/node'
import { checkLinearizability } from 'holdfast/verification'
import { recordModel } from '../../dist/drivers/cluster/record-model.sim.js'
import { clients } from './clients.mjs'
import { pause, smallDisk, threeMembers } from './members.mjs'

const [trouble, seed = '1'] = process.argv.slice(2)
const folder = mkdtempSync(join(tmpdir(), 'holdfast-disks-'))
const disks = new Map()
const megabyte = 1 << 20

/** Writes until the leader's disk is full. */
async function fill(addresses, isOver) {
  const runtime = nodeRuntime()
  const { records, close } = clusterStores(runtime, { members: addresses, namespace: 'filling' })
  const value = 'x'.repeat(20_000)
  for (let count = 0; count < 2_000 && !isOver(); count++) {
    await records.put({ space: 's', key: `${count % 10}`, value, expected: 'any' })
  }
  await close()
  await runtime.close()
}

async function trial() {
  const group = await threeMembers(folder, { electionMs: 500, snapshotEveryEntries: 1_000_000 })
  const load = clients(group.addresses, { count: 4, seed: Number(seed) })
  try {
    const victim = await group.untilLed()
    const member = group.members.get(victim)
    await pause(500)
    if (trouble === 'sync') member.child.send({ order: 'refuse to sync' })
    else {
      await disks.get(victim).grow(2 * megabyte)
      await fill(group.addresses, () => member.stopped !== undefined)
    }
    await group.until(() => member.stopped, 'the leader stops')
    const { stopped, why } = member
    await group.until(() => member.child === undefined, 'its process ends')
    const heir = await group.until(() => {
      const leader = group.leader()
      return leader === victim ? undefined : leader
    }, 'another leads')
    await pause(700)
    load.nextEpoch()
    const writtenWithout = load.counts().operations
    await pause(700)
    const wentOn = load.counts().operations > writtenWithout
    await disks.get(victim)?.grow(64 * megabyte)
    group.start(victim)
    await group.until(() => member.role === 'follower', 'it comes back')
    // The one that stopped has to carry the group now, with what it has.
    await group.kill(heir)
    await group.until(() => group.leader() !== undefined, 'somebody leads')
    await pause(700)
    await load.end()
    const { verdict } = checkLinearizability(load.history, recordModel, { stepsMax: 1e8 })
    return { trouble, stopped, why, wentOn, verdict, ...load.counts() }
  } finally {
    await group.close()
  }
}

async function mounted() {
  for (const id of ['a', 'b', 'c']) {
    const path = join(folder, id)
    mkdirSync(path)
    const disk = await smallDisk(path, 64 * megabyte)
    if (disk === undefined) return false
    disks.set(id, disk)
  }
  return true
}

try {
  const possible = trouble === 'sync' || (await mounted())
  const result = possible ? await trial() : { skipped: 'this user may mount no disk' }
  process.stdout.write(`${JSON.stringify(result)}\n`)
} finally {
  for (const disk of disks.values()) await disk.remove()
  rmSync(folder, { recursive: true, force: true })
}
