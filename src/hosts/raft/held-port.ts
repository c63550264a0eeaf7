/**
 * The door's address is taken before the folder is touched. Whoever starts a member a second time by
 * mistake finds the address in use and stops there, instead of mending the log of a member that is alive.
 * Who knocks before the member is ready is shown out, and knocks again.
 */
import type { ByteStream, Network } from '../../runtime/network.ts'

export interface HeldPort {
  /** The same network; its first `listen` on the held address gets the listener that is there. */
  readonly network: Network
  /** For a start that failed. */
  release(): Promise<void>
}

/** @throws {ConfigurationError} the address is taken or not ours. */
export async function heldPort(network: Network, address: string): Promise<HeldPort> {
  let enter = (stream: ByteStream): void => stream.destroy()
  const listener = await network.listen(address, (stream) => enter(stream))
  let taken = false
  return {
    network: {
      async listen(asked, accept) {
        if (asked !== address || taken) return network.listen(asked, accept)
        taken = true
        enter = accept
        return listener
      },
      connect: (target, options) => network.connect(target, options),
      bind: (asked, receive) => network.bind(asked, receive),
    },
    release: () => listener.close(),
  }
}
