/**
 * How an instance stands in the registry: under `service/<service>/<instance>/<incarnation>`, with a
 * small JSON document. The incarnation is that of the session, so a restarted instance never
 * meets the entry of its former life, and a late removal of the old cannot touch the new.
 *
 * The document also says when the registration was born: the incarnation of its first session. Two
 * processes that claim to be the same instance are ordered by birth, so that an old one which comes
 * back from an outage, with a new session, does not push out its replacement.
 */
import { InvalidArgumentError } from '../../errors.ts'
import { requireInteger, requireLength, requireText } from '../../ports/arguments.ts'
import type { RegistryEntry } from '../../ports/registry.ts'
import type { Endpoint } from '../endpoint.ts'

/** Bumped when an older reader could misread what a newer writer wrote; extra fields do not count. */
const formatVersion = 1

const metadataPairsMax = 32
const metadataLengthMax = 4_096

/** An endpoint and its place in the history of its instance. */
export interface Listed {
  readonly key: string
  readonly endpoint: Endpoint
  /** The first session of the registration. The last born of an instance counts. */
  readonly born: bigint
  /** The session of this entry; the newest among those of one birth counts. */
  readonly incarnation: bigint
  readonly revision: bigint
}

/** @throws {InvalidArgumentError} */
export function requireSegment(subject: string, value: string): void {
  requireText(subject, value, 100)
  if (!value.includes('/')) return
  throw new InvalidArgumentError(`${subject} is ${JSON.stringify(value)}; expected no "/"`)
}

/** @throws {InvalidArgumentError} */
export function requireEndpoint({ address, weight, metadata }: Omit<Endpoint, 'id'>): void {
  requireText('address', address, 255)
  requireInteger('weight', weight, 0, 1_000)
  const pairs = Object.entries(metadata)
  requireInteger('number of metadata pairs', pairs.length, 0, metadataPairsMax)
  requireLength('metadata', pairs.flat().join(''), metadataLengthMax)
}

export function servicePrefix(service: string): string {
  return `service/${service}/`
}

export function entryKey(service: string, instance: string, incarnation: bigint): string {
  return `${servicePrefix(service)}${instance}/${incarnation}`
}

/** The instance named by a key of {@link entryKey}; `undefined` for a key of another shape. */
export function instanceOf(prefix: string, key: string): string | undefined {
  const [instance, incarnation, ...rest] = key.slice(prefix.length).split('/')
  return key.startsWith(prefix) && incarnation && rest.length === 0 ? instance : undefined
}

export function entryValue({ id, address, weight, metadata }: Endpoint, born: bigint): string {
  return JSON.stringify({ format: formatVersion, id, born: `${born}`, address, weight, metadata })
}

/** @returns `undefined` if it is not readable: damaged, or written in a newer format. */
export function readEntry(prefix: string, entry: RegistryEntry): Listed | undefined {
  const instance = instanceOf(prefix, entry.key)
  if (instance === undefined) return undefined
  const { key, incarnation, revision } = entry
  const read = readValue(instance, entry.value)
  return read && { key, incarnation, revision, ...read }
}

function readValue(instance: string, value: string): Pick<Listed, 'endpoint' | 'born'> | undefined {
  try {
    const raw = JSON.parse(value) as Record<string, unknown>
    const { format, id, born, address, weight, metadata } = raw
    if (format !== formatVersion || typeof id !== 'string' || typeof address !== 'string') {
      return undefined
    }
    if (typeof weight !== 'number' || typeof metadata !== 'object' || metadata === null) {
      return undefined
    }
    const endpoint = { id, address, weight, instance, metadata: metadata as Endpoint['metadata'] }
    requireEndpoint(endpoint)
    return { endpoint: Object.freeze(endpoint), born: BigInt(born as string) }
  } catch {
    return undefined
  }
}
