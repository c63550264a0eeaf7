/**
 * What all models have in common: they run on machines of the world, and are reached over its network,
 * by a client of their own or as a driver for `holdfast()`.
 */

import { type Link, type LinkOptions, link } from '../../drivers/cluster/link/link.ts'
import type { LinkService } from '../../drivers/cluster/link/link-server.ts'
import type { Driver, DriverContext, DriverStores } from '../../ports/driver.ts'
import type { Runtime } from '../../runtime/runtime.ts'

export interface Engine<Stores extends DriverStores = DriverStores> extends Driver {
  /** Its machines, for faults by hand. */
  readonly machines: readonly string[]
  /** Clients for a process of another machine. Connects at the first call, and again when it must. */
  connect(runtime: Runtime, options?: EngineClientOptions): Stores
  open(context: DriverContext): Promise<Stores>
}

export interface EngineClientOptions {
  /** Default `world`. Namespaces never see each other. */
  readonly namespace?: string
  /** Default 1_000. */
  readonly connectTimeoutMs?: number
  /** After so long without an answer the outcome is unknown. Default 3_000. */
  readonly answerTimeoutMs?: number
}

export interface EngineParts<Stores extends DriverStores> {
  readonly name: string
  readonly machines: readonly string[]
  /** Where clients go; may ask others. */
  address(runtime: Runtime): Promise<string> | string
  stores(runtime: Runtime, link: Link): Stores
}

export function engine<Stores extends DriverStores>(parts: EngineParts<Stores>): Engine<Stores> {
  function connect(runtime: Runtime, options: EngineClientOptions = {}): Stores {
    const { namespace = 'world', ...times } = options
    const linked: LinkOptions = { ...times, namespace, address: () => parts.address(runtime) }
    return parts.stores(runtime, link(runtime, linked))
  }
  return {
    name: parts.name,
    machines: parts.machines,
    connect,
    open: async ({ runtime, namespace }) => connect(runtime, { namespace }),
  }
}

/** One service of several. */
export function services(...parts: readonly LinkService[]): LinkService {
  return {
    calls: Object.assign({}, ...parts.map(({ calls }) => calls)),
    sources: Object.assign({}, ...parts.map(({ sources }) => sources)),
  }
}
