import { expect, it } from 'vitest'
import type { Runtime } from '../../runtime/runtime.ts'
import { sleep } from '../../runtime/sleep.ts'
import type { World } from '../../simulation/world.ts'
import { inVirtualTime } from '../../testing/index.ts'
import type { RaftHost, ReplicatedMachine } from './contract.ts'
import { noSeal } from './plain-seal.ts'
import { raftHostOf } from './raft-host.ts'

const ids = ['a', 'b', 'c']
const bootstrap = {
  voters: ids,
  outgoing: [],
  learners: [],
  addresses: Object.fromEntries(ids.map((id) => [id, `${id}:7000`])),
  retired: [],
}

/** Keeps the commands it was given. */
function listMachine(): ReplicatedMachine & { readonly list: string[] } {
  const list: string[] = []
  return {
    list,
    apply(_index, command) {
      list.push(new TextDecoder().decode(command))
      return new TextEncoder().encode(String(list.length))
    },
    snapshot: () => list.map((one) => new TextEncoder().encode(one)),
    restore(pieces) {
      list.length = 0
      for (const piece of pieces) list.push(new TextDecoder().decode(piece))
    },
  }
}

interface Member {
  readonly host: RaftHost
  readonly machine: ReturnType<typeof listMachine>
}

function start(world: World, id: string): Promise<Member> {
  return new Promise((resolve, reject) => {
    world.machine(id).process(`member-${id}`, async (runtime: Runtime) => {
      const machine = listMachine()
      const host = await raftHostOf(
        {
          runtime,
          id,
          clusterId: 'test',
          folder: '/raft',
          listen: '0.0.0.0:7000',
          bootstrap,
          machine,
        },
        { seal: noSeal },
      ).catch((error: unknown) => {
        reject(error)
        throw error
      })
      resolve({ host, machine })
      await host.stopped
    })
  })
}

it('three members agree on a command and apply it', () =>
  inVirtualTime(async (world, runtime) => {
    const members = await Promise.all(ids.map((id) => start(world, id)))
    const [first] = members
    const answer = await first?.host.propose(new TextEncoder().encode('hello'), {
      timeoutMs: 10_000,
    })
    expect(new TextDecoder().decode(answer)).toBe('1')
    await sleep(runtime.timers, 1_000)
    expect(members.map(({ machine }) => machine.list)).toEqual([['hello'], ['hello'], ['hello']])
    await Promise.all(members.map(({ host }) => host.close()))
  }))
