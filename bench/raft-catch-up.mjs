// What does a member cost that was away for a million entries? Three processes with real disks; one is killed,
// the others agree on so many commands of 100 bytes, and it comes back: once with all entries still in the
// leader's log, once behind a snapshot. Prints the memory of leader and follower, and how long it took.
//
//   node bench/raft-catch-up.mjs [--entries 1000000]
//
// Beside the time stands the floor: as many bytes written to one file in pieces of 1 MB, each synced.
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { processorMs } from './raft/load.mjs'
import { threeMembers, until } from './raft/three.mjs'

const { values: args } = parseArgs({ options: { entries: { type: 'string', default: '1000000' } } })
const entries = Number(args.entries)
const megabytes = (bytes) => Math.round(bytes / 1_048_576)
const seconds = (ms) => Number((ms / 1_000).toFixed(2))

const forms = {
  'all of it in the log': { snapshotEveryEntries: 2 ** 40, snapshotEveryBytes: 2 ** 40 },
  'behind a snapshot': {},
}

for (const [form, options] of Object.entries(forms)) {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))
  const three = await threeMembers('raft', folder, { options })
  const leader = await three.leader()
  const away = [...three.members.keys()].find((id) => id !== leader.id)
  await three.members.get(away).stop('SIGKILL')
  const before = performance.now()
  await leader.ask('fill', { entries, width: 1_024 })
  const filledMs = performance.now() - before
  const held = await leader.ask('status')

  const startedMs = performance.now()
  await three.restart(away)
  const back = three.members.get(away)
  const now = await until(async () => {
    const status = await back.ask('status')
    return status.applied >= held.applied ? status : undefined
  }, 600_000)
  const tookMs = performance.now() - startedMs
  const cpuMs = processorMs(back.child.pid)
  const after = await leader.ask('status')

  const file = openSync(join(folder, 'floor'), 'w')
  const block = Buffer.alloc(1_048_576)
  const floorMs = performance.now()
  for (let written = 0; written < now.logBytes; written += block.length) {
    writeSync(file, block)
    fdatasyncSync(file)
  }
  closeSync(file)
  console.log(
    JSON.stringify({
      ...{ form, entries, filledPerSecond: Math.round((entries * 1_000) / filledMs) },
      ...{ caughtUpS: seconds(tookMs), itsCpuS: seconds(cpuMs) },
      floorS: seconds(performance.now() - floorMs),
      snapshotIndex: now.snapshotIndex,
      leaderRssMb: megabytes(held.rss),
      leaderRssAfterMb: megabytes(after.rss),
      leaderHeapMb: megabytes(held.heapUsed),
      followerRssMb: megabytes(now.rss),
      logMb: megabytes(held.logBytes),
    }),
  )
  await three.stop()
  rmSync(folder, { recursive: true, force: true })
}
process.exit(0)
