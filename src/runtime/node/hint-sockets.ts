/**
 * Wake-ups between the processes of one file. Whoever waits for something opens a local socket and
 * writes its address into the file; whoever commits reads the addresses in the same transaction and
 * sends the topics, after the commit, to each. Nothing is polled here, and a process that waits for
 * nothing opens nothing.
 *
 * A hint may be lost (a full socket, a dead peer, another user's socket), so a slow poll stands behind
 * it. On the wire: the line `holdfast-hint 1`, then one topic per line.
 */
import { randomBytes } from 'node:crypto'
import { chmodSync, rmSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const versionLine = 'holdfast-hint 1'
/** Processes that are told; those beyond it poll. */
export const peersMax: number = 256
/** Topics that wait for one slow peer; more are dropped. */
const waitingMax = 1_024
const lineMax = 1_024
const connectionsMax = 1_024

export interface HintSockets {
  /** Where this process is told; `undefined` until it listens. */
  readonly address: string | undefined
  /** Opens the socket. Safe to repeat. */
  listen(): Promise<string>
  /** Sends the topics to each address. */
  send(addresses: readonly string[], topics: Iterable<string>): void
  close(): void
}

export interface HintSocketsOptions {
  received(topics: readonly string[]): void
  /** Nobody is behind this address any more. */
  stale(address: string): void
}

export function hintSockets({ received, stale }: HintSocketsOptions): HintSockets {
  const outgoing = new Map<string, Outgoing>()
  let server: Server | undefined
  let address: string | undefined
  let opening: Promise<string> | undefined

  async function open(): Promise<string> {
    const path = newAddress()
    const made = createServer((socket) => receiveLines(socket.unref(), received))
    made.maxConnections = connectionsMax
    made.unref()
    await new Promise<void>((resolve, reject) => {
      made.once('error', reject)
      made.listen(path, resolve)
    })
    made.on('error', () => {})
    if (process.platform !== 'win32') chmodSync(path, 0o600)
    server = made
    address = path
    return path
  }

  return {
    get address() {
      return address
    },
    listen() {
      opening ??= open()
      return opening
    },
    send(addresses, topics) {
      for (const target of addresses) {
        if (target === address) continue
        let peer = outgoing.get(target)
        if (!peer) {
          const made = outgoingTo(target, (gone) => {
            if (outgoing.get(target) === made) outgoing.delete(target)
            if (gone) stale(target)
          })
          outgoing.set(target, made)
          peer = made
        }
        peer.send(topics)
      }
    },
    close() {
      for (const peer of outgoing.values()) peer.close()
      outgoing.clear()
      server?.close()
      server = undefined
    },
  }
}

/** Removes what a killed process left in the temporary folder; never a file that is not ours. */
export function removeStaleAddress(address: string): void {
  if (/[\\/]holdfast-[0-9a-f]{24}\.sock$/.test(address)) rmSync(address, { force: true })
}

function newAddress(): string {
  const id = randomBytes(12).toString('hex')
  return process.platform === 'win32'
    ? `\\\\.\\pipe\\holdfast-${id}`
    : join(tmpdir(), `holdfast-${id}.sock`)
}

interface Outgoing {
  send(topics: Iterable<string>): void
  close(): void
}

/** One connection to one peer. While it is slow, topics wait as a set: a hint twice is a hint once. */
function outgoingTo(address: string, over: (gone: boolean) => void): Outgoing {
  const waiting = new Set<string>()
  let writable = false
  let closed = false
  const socket = connect(address).unref()

  function flush(): void {
    if (!writable || waiting.size === 0) return
    const text = `${[...waiting].join('\n')}\n`
    waiting.clear()
    writable = socket.write(text)
  }

  socket.on('connect', () => {
    writable = socket.write(`${versionLine}\n`)
    flush()
  })
  socket.on('drain', () => {
    writable = true
    flush()
  })
  let gone = false
  socket.on('error', (error: NodeJS.ErrnoException) => {
    gone = isGone(error)
  })
  socket.on('close', () => {
    over(gone)
    if (!gone && !closed) probe(address, () => over(true))
  })
  socket.resume() // the peer says nothing, but its end must be noticed

  return {
    send(topics) {
      for (const topic of topics) if (waiting.size < waitingMax) waiting.add(topic)
      flush()
    },
    close() {
      closed = true
      socket.destroy()
    },
  }
}

/** A connection broke. Is anybody still there? Asked once, so that the dead leave the table. */
function probe(address: string, gone: () => void): void {
  const socket = connect(address).unref()
  socket.on('connect', () => socket.destroy())
  socket.on('error', (error: NodeJS.ErrnoException) => {
    if (isGone(error)) gone()
  })
}

function isGone({ code }: NodeJS.ErrnoException): boolean {
  return code === 'ECONNREFUSED' || code === 'ENOENT'
}

function receiveLines(socket: Socket, received: (topics: readonly string[]) => void): void {
  let rest = ''
  let greeted = false
  socket.setEncoding('utf8')
  socket.on('error', () => {})
  socket.on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    if (!greeted && lines.length > 0) {
      // A newer version may mean something else by its lines: not guessed, but polled.
      if (lines.shift() !== versionLine) return socket.destroy()
      greeted = true
    }
    if (rest.length > lineMax) return socket.destroy()
    if (lines.length > 0) received(lines)
  })
}
