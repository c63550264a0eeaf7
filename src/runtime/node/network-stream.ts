/**
 * A TCP socket as a `ByteStream`. Until a receiver is installed nothing is read, so what comes early
 * waits in the kernel and in one bounded buffer, and backpressure is the socket's own.
 */
import type { Socket } from 'node:net'
import { UnavailableError } from '../../errors.ts'
import { type ByteStream, type StreamReceiver, streamHighWaterBytes } from '../network.ts'
import { formatAddress } from './network-address.ts'

export function byteStream(socket: Socket): ByteStream {
  const remote = formatAddress(socket.remoteAddress, socket.remotePort)
  let receiver: StreamReceiver | undefined
  let failure: Error | undefined
  let paused = false
  /** The last word to the receiver has been said, or must not be said any more. */
  let over = false
  let ended = false

  socket.setNoDelay(true)
  socket.on('error', (cause) => {
    failure = new UnavailableError(`the connection to ${remote} broke: ${cause.message}`, { cause })
  })
  socket.on('close', () => {
    failure ??= new UnavailableError(`the connection to ${remote} was closed`)
    if (over || !receiver) return
    over = true
    receiver.failed(failure)
  })

  return {
    remote,
    receive(given) {
      if (receiver) throw new Error('a receiver is already installed')
      receiver = given
      if (over) return
      if (socket.destroyed) {
        over = true
        queueMicrotask(() => given.failed(failure ?? new UnavailableError('the connection broke')))
        return
      }
      socket.on('data', (bytes: Buffer) => {
        if (!over) given.data(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength))
      })
      socket.on('end', () => {
        if (over) return
        over = true
        given.ended()
      })
      if (paused) socket.pause()
      else socket.resume()
    },
    write(bytes) {
      if (ended || socket.destroyed) return false
      socket.write(bytes)
      return socket.writableLength <= streamHighWaterBytes
    },
    drained() {
      if (socket.destroyed || socket.writableLength <= streamHighWaterBytes) {
        return Promise.resolve()
      }
      return new Promise((resolve) => {
        const done = (): void => {
          socket.off('drain', done)
          socket.off('close', done)
          resolve()
        }
        socket.on('drain', done)
        socket.on('close', done)
      })
    },
    pause(wanted) {
      paused = wanted
      if (!receiver || socket.destroyed) return
      if (wanted) socket.pause()
      else socket.resume()
    },
    end() {
      if (ended) return
      ended = true
      socket.end()
    },
    destroy() {
      over = true
      ended = true
      socket.destroy()
    },
  }
}
