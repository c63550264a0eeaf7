import { afterEach, describe, expect, it } from 'vitest'
import { nodeRuntime } from '../../runtime/node/index.ts'
import { sleep } from '../../runtime/sleep.ts'
import { changingSource, endpointAt, rotation } from './fixture.sim.ts'
import { procedure, rpcClient, rpcServer, service } from './index.ts'

const echo = service('echo', {
  version: 1,
  procedures: {
    echo: procedure<string, string>(),
    wait: procedure<number, string>(),
  },
})

const open: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of open.splice(0)) await close()
})

async function pair() {
  const runtime = nodeRuntime()
  const server = await rpcServer(runtime, { address: '127.0.0.1:0' })
  server.serve(echo, {
    echo: (text) => text,
    wait: async (ms, call) => {
      await sleep(runtime.timers, ms, { signal: call.signal })
      return 'done'
    },
  })
  const client = rpcClient(runtime, echo, {
    source: changingSource([endpointAt(server.address)]),
    balancer: rotation(),
    timeoutMs: 10_000,
  })
  open.push(async () => {
    client.close()
    await server.close()
    await runtime.close()
  })
  return { runtime, server, client }
}

describe('over real sockets', () => {
  it('RP-3: large and small messages share a connection, and all arrive', async () => {
    const { client } = await pair()
    const large = Array.from({ length: 8 }, (_, n) => String(n).repeat(1_000_000))
    const small = Array.from({ length: 2_000 }, (_, n) => `small ${n}`)
    let smallDone = 0
    let doneBeforeLarge = 0
    const answers = await Promise.all([
      ...large.map((text) =>
        client.echo(text).then((answer) => {
          doneBeforeLarge = Math.max(doneBeforeLarge, smallDone)
          return answer
        }),
      ),
      ...small.map((text) =>
        client.echo(text).then((answer) => {
          smallDone += 1
          return answer
        }),
      ),
    ])
    expect(answers).toEqual([...large, ...small])
    expect(doneBeforeLarge).toBe(small.length)
  })

  it('RP-5: drain answers what was accepted; RP-2: an end in mid-call is unknown', async () => {
    const first = await pair()
    const accepted = first.client.wait(100)
    await sleep(first.runtime.timers, 30)
    expect(await first.server.drain({ timeoutMs: 5_000 })).toEqual({ abandoned: 0 })
    expect(await accepted).toBe('done')
    await expect(first.client.echo('x')).rejects.toMatchObject({ outcome: 'not-applied' })

    const second = await pair()
    const lost = second.client.wait(60_000, { timeoutMs: 60_000 })
    await sleep(second.runtime.timers, 30)
    await Promise.all([
      expect(lost).rejects.toMatchObject({ outcome: 'unknown' }),
      second.server.close(),
    ])
  })
})
