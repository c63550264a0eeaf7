/**
 * Three members on real sockets, real disks and real time, in one process: the same code as in the
 * simulator, over what it stands for.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nodeRuntime } from '../../runtime/node/index.ts'
import { sleep } from '../../runtime/sleep.ts'
import type { RaftHost } from './contract.ts'
import { bytes, type ListMachine, listMachine } from './members.sim.ts'
import { raftHost } from './raft-host.ts'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-raft-'))
const runtime = nodeRuntime()
const ids = ['a', 'b', 'c']
const ports = { a: 0, b: 0, c: 0 }
const wait = { timeoutMs: 20_000 }

afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Free ports, asked of the system. */
async function choosePorts(): Promise<void> {
  for (const id of ids as (keyof typeof ports)[]) {
    const listener = await runtime.network.listen('127.0.0.1:0', (stream) => stream.destroy())
    ports[id] = Number(listener.address.split(':').pop())
    await listener.close()
  }
}

interface Running {
  readonly host: RaftHost
  readonly machine: ListMachine
}

async function start(id: string, name: string, secrets?: readonly Uint8Array[]): Promise<Running> {
  const addresses = Object.fromEntries(
    Object.entries(ports).map(([it, port]) => [it, `127.0.0.1:${port}`]),
  )
  const machine = listMachine()
  const host = await raftHost({
    runtime,
    id,
    clusterId: 'live',
    folder: join(folder, `${name}-${id}`),
    listen: addresses[id] ?? '',
    bootstrap: { voters: ids, outgoing: [], learners: [], addresses, retired: [] },
    machine,
    snapshotEveryEntries: 2_000,
    raft: { electionMs: 400, heartbeatMs: 80 },
    ...(secrets === undefined ? {} : { secrets }),
  })
  return { host, machine }
}

async function settled(members: readonly Running[], length: number): Promise<void> {
  while (!members.every(({ machine }) => machine.list.length === length)) {
    await sleep(runtime.timers, 20)
  }
}

describe('three members over loopback', () => {
  beforeAll(choosePorts)

  for (const secrets of [undefined, [new Uint8Array(32).fill(9)]]) {
    const name = secrets === undefined ? 'plain' : 'sealed'
    it(`${name}: agree, restart from snapshot and log, and go on`, async () => {
      const members = await Promise.all(ids.map((id) => start(id, name, secrets)))
      await members[0]?.host.propose(bytes('first'), wait)
      const count = 5_000
      let sent = 0
      const worker = async (): Promise<void> => {
        while (sent < count) {
          sent += 1
          await members[sent % 3]?.host.propose(bytes(`command ${sent}`), wait)
        }
      }
      await Promise.all(Array.from({ length: 256 }, worker))
      await settled(members, count + 1)
      for (let at = 0; at < 20; at += 1) await members[at % 3]?.host.readBarrier('quorum', wait)
      await Promise.all(members.map(({ host }) => host.close()))

      const again = await Promise.all(ids.map((id) => start(id, name, secrets)))
      await again[1]?.host.propose(bytes('last'), wait)
      await settled(again, count + 2)
      const [one, ...others] = again
      for (const { machine } of others) expect(machine.list).toEqual(one?.machine.list)
      expect(new Set(one?.machine.list).size).toBe(count + 2)
      await Promise.all(again.map(({ host }) => host.close()))
    }, 60_000)
  }
})
