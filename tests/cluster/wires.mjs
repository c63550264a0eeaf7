// The wires between the members: one TCP proxy on the loopback interface. Who dials says first from whom to whom
// it goes. Each direction between two members can go dark: nothing is refused, nothing arrives, as when a
// switch dies. When the light comes back, what was on its way arrives late, or the connections break.
import { once } from 'node:events'
import { connect, createServer } from 'node:net'

export async function wires(addresses) {
  const dark = new Set()
  const pipes = new Set()
  const portOf = (name) => Number(addresses[name].split(':')[1])

  function flow(pipe) {
    const { near, far, from, to } = pipe
    if (dark.has(`${from}>${to}`)) near.pause()
    else near.resume()
    if (dark.has(`${to}>${from}`)) far?.pause()
    else far?.resume()
  }

  function lay(near, from, to, early) {
    const far = connect(portOf(to), '127.0.0.1')
    far.setNoDelay(true)
    const pipe = { near, far, from, to }
    pipes.add(pipe)
    const over = () => {
      pipes.delete(pipe)
      near.destroy()
      far.destroy()
    }
    for (const socket of [near, far]) socket.on('error', over).on('close', over)
    if (early.length > 0) far.write(early)
    near.on('data', (bytes) => far.write(bytes)).on('end', () => far.end())
    far.on('data', (bytes) => near.write(bytes)).on('end', () => near.end())
    flow(pipe)
  }

  const server = createServer({ allowHalfOpen: true }, (near) => {
    near.setNoDelay(true)
    near.on('error', () => near.destroy())
    let heard = Buffer.alloc(0)
    const listen = (bytes) => {
      heard = Buffer.concat([heard, bytes])
      const end = heard.indexOf(10)
      if (end < 0) return
      near.off('data', listen)
      const [from, to] = heard.toString('utf8', 0, end).split(' ')
      // Towards a dark side nobody answers, and the caller gives up by itself.
      if (dark.has(`${from}>${to}`) || dark.has(`${to}>${from}`)) near.pause()
      else lay(near, from, to, heard.subarray(end + 1))
    }
    near.on('data', listen)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  return {
    address: `127.0.0.1:${server.address().port}`,
    /** What `from` says does not reach `to`. */
    darken(from, to) {
      dark.add(`${from}>${to}`)
      for (const pipe of pipes) flow(pipe)
    },
    /** @param broken the connections that were in the dark break; otherwise all arrives late. */
    lighten(broken) {
      for (const pipe of [...pipes]) {
        const { from, to, near } = pipe
        if (broken && (dark.has(`${from}>${to}`) || dark.has(`${to}>${from}`))) near.destroy()
      }
      dark.clear()
      for (const pipe of pipes) flow(pipe)
    },
    close() {
      server.close()
      for (const { near } of [...pipes]) near.destroy()
    },
  }
}
