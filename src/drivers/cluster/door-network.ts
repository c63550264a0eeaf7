/**
 * The way to a member's door, for clients and operators: the shared port, sealed if there is a secret.
 */
import { ConfigurationError, UnavailableError } from '../../errors.ts'
import { type Seal, SealError, seal } from '../../hosts/seal/index.ts'
import { requireText } from '../../ports/arguments.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { clientNetwork } from './shared-port.ts'

export interface ClusterSecret {
  /**
   * What members and clients know and nobody else: 16 to 1_024 bytes of good randomness as text, or up to
   * four of them while it is being changed (the first is offered, all are accepted). Absent: loopback
   * addresses only, where every process of the machine may come in.
   */
  readonly secret?: string | readonly string[]
  /** Must be the same for all members and clients. Default `holdfast`. */
  readonly clusterId?: string
}

export const defaultClusterId: string = 'holdfast'

/** The seal that a secret makes. */
export function sealOf(runtime: Runtime, options: ClusterSecret): Seal | undefined {
  const secrets = secretsOf(options)
  const { clusterId = defaultClusterId } = options
  return secrets && seal(runtime, { secrets, clusterId })
}

export function secretsOf({ secret }: ClusterSecret): readonly Uint8Array[] | undefined {
  if (secret === undefined) return undefined
  const texts = typeof secret === 'string' ? [secret] : secret
  return texts.map((text) => new TextEncoder().encode(text))
}

/** The runtime with a network that leads to doors. @param sealed `undefined`: nothing is sealed. */
export function doorRuntime(runtime: Runtime, sealed: Seal | undefined): Runtime {
  const network = clientNetwork(runtime.network)
  if (sealed === undefined) return { ...runtime, network }
  return {
    ...runtime,
    network: {
      ...network,
      async connect(address, options) {
        const raw = await network.connect(address, options)
        try {
          return await sealed.connect(raw)
        } catch (error) {
          throw notSealed(address, error)
        }
      },
    },
  }
}

/** Nothing was asked yet. A broken handshake may work the next time; a wrong secret will not. */
function notSealed(address: string, cause: unknown): Error {
  if (!(cause instanceof SealError))
    return cause instanceof Error ? cause : new Error(String(cause))
  if (cause.reason === 'secret' || cause.reason === 'cluster' || cause.reason === 'version') {
    return new ConfigurationError(`"${address}" did not let us in: ${cause.message}`, { cause })
  }
  return new UnavailableError(`no sealed link to "${address}": ${cause.message}`, { cause })
}

/** @throws {ConfigurationError} an address that needs a secret, or none at all. */
export function requireMembers(members: readonly string[], sealed: Seal | undefined): void {
  if (members.length === 0) throw new ConfigurationError('no members are named')
  for (const address of members) {
    requireText('a member’s address', address, 300)
    if (sealed === undefined && !isLoopback(address)) {
      throw new ConfigurationError(
        `member "${address}": without a secret only loopback addresses are allowed`,
      )
    }
  }
}

export function isLoopback(address: string): boolean {
  const host = address.slice(0, Math.max(0, address.lastIndexOf(':'))).replace(/^\[|\]$/g, '')
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}
