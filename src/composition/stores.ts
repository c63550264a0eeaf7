/**
 * From options to open stores: one driver per port, the embedded file where none is named, each driver
 * opened once however many ports it serves, and all closed together.
 */
import { embeddedFile } from '../drivers/embedded/index.ts'
import { CapabilityMissingError, ConfigurationError } from '../errors.ts'
import type { Driver, DriverContext, DriverStores } from '../ports/driver.ts'
import type { LeaseStore } from '../ports/lease-store.ts'
import type { RecordStore } from '../ports/record-store.ts'
import type { Registry } from '../ports/registry.ts'
import type { WorkStore } from '../ports/work-store.ts'

export interface PortDrivers {
  readonly leases?: Driver
  readonly registry?: Driver
  readonly records?: Driver
  readonly work?: Driver
}

export interface Stores {
  readonly leases: LeaseStore
  readonly registry: Registry
  readonly records: RecordStore
  readonly work: WorkStore
  close(): Promise<void>
}

type Port = keyof PortDrivers

export interface StoreOptions extends PortDrivers {
  readonly path: string | undefined
  readonly production: boolean
}

/** @throws {CapabilityMissingError} a named driver does not offer the port it was named for. */
export async function openStores(context: DriverContext, options: StoreOptions): Promise<Stores> {
  const opened = new Map<Driver, DriverStores>()
  let ownFile: Driver | undefined
  const close = async (): Promise<void> => {
    for (const stores of opened.values()) await stores.close()
  }

  async function port<Name extends Port>(name: Name): Promise<NonNullable<DriverStores[Name]>> {
    ownFile ??= options[name] === undefined ? await defaultFile(context, options) : undefined
    const driver = options[name] ?? ownFile
    if (driver === undefined) throw new ConfigurationError(`no driver for ${name}`)
    const stores = opened.get(driver) ?? (await driver.open(context))
    opened.set(driver, stores)
    const store = stores[name]
    if (store !== undefined) return store
    throw new CapabilityMissingError(
      `driver "${driver.name}" does not offer ${name}; name another`,
      {
        details: { driver: driver.name, port: name },
      },
    )
  }

  try {
    const leases = await port('leases')
    const registry = await port('registry')
    const records = await port('records')
    const work = await port('work')
    return { leases, registry, records, work, close }
  } catch (error) {
    await close()
    throw error
  }
}

async function defaultFile(
  { runtime, namespace }: DriverContext,
  { path, production }: StoreOptions,
): Promise<Driver> {
  if (path !== undefined) return embeddedFile({ path })
  if (production) {
    throw new ConfigurationError(
      'NODE_ENV is production, and neither a path nor drivers for all ports are given; the embedded file coordinates one machine only, so say where it is: holdfast({ path: "…" })',
    )
  }
  await runtime.disk.makeDirectory('.holdfast')
  return embeddedFile({ path: `.holdfast/${encodeURIComponent(namespace)}.db` })
}
