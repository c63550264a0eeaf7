/**
 * The network as Holdfast sees it: ordered byte streams that can break at any moment, and datagrams
 * that may be lost, doubled or reordered. Nothing here promises that the other side exists.
 *
 * An address is `host:port`. A listener may ask for port 0 and reads the real one from `address`.
 */
export interface Network {
  /** @throws {ConfigurationError} the address is taken or not ours. */
  listen(address: string, accept: (stream: ByteStream) => void): Promise<Listener>
  /** @throws {UnavailableError} refused, unreachable, or no answer within `timeoutMs`. */
  connect(address: string, options: ConnectOptions): Promise<ByteStream>
  /** Datagrams of at most 65_507 bytes. @throws {ConfigurationError} the address is taken. */
  bind(address: string, receive: (datagram: Datagram) => void): Promise<DatagramSocket>
}

export interface ConnectOptions {
  /** 1 to 600_000. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

export interface Listener {
  readonly address: string
  /** Stops accepting. Streams already accepted live on. */
  close(): Promise<void>
}

export interface ByteStream {
  /** The other side's address, for people. */
  readonly remote: string
  /**
   * Installs the receiver, once; bytes that came earlier are kept for it. Exactly one of `ended` and
   * `failed` is called last, unless this side called `destroy`.
   */
  receive(receiver: StreamReceiver): void
  /**
   * Sends bytes in order. The bytes are the stream's from now on: do not change them.
   * @returns `false` when more than `highWaterBytes` wait to leave: stop, and go on after `drained`.
   * Nothing is said about arrival, ever. After `end`, `destroy` or failure, the bytes are dropped.
   */
  write(bytes: Uint8Array): boolean
  /** Resolves when the buffer is below the high-water mark again, or the stream is over. */
  drained(): Promise<void>
  /** Asks the sender to stop for a while (`true`) or to go on: backpressure. */
  pause(paused: boolean): void
  /** Sends the rest, then tells the other side that no more will come. */
  end(): void
  /** Gives up at once; what was not sent is lost. Safe to repeat. */
  destroy(): void
}

export interface StreamReceiver {
  data(bytes: Uint8Array): void
  /** The other side ended in good order. */
  ended(): void
  /** The connection broke: reset, unreachable, or this side's own send failed. */
  failed(error: Error): void
}

/** How many unsent bytes a stream holds before `write` answers `false`. */
export const streamHighWaterBytes: number = 1_048_576

export interface Datagram {
  readonly bytes: Uint8Array
  readonly source: string
}

export interface DatagramSocket {
  readonly address: string
  /** Sends and forgets. */
  send(target: string, bytes: Uint8Array): void
  close(): Promise<void>
}
