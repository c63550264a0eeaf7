/**
 * The last list that was believed, on disk, so that a consumer which starts while the registry is away
 * still finds its services. It is news of yesterday and says how old it is; it is never a reason not
 * to start. So whatever is wrong with the file, the answer is "nothing known" and a reason.
 *
 * The file: one line `holdfast-endpoints 1 <crc32>`, then JSON. It is replaced as a whole: written
 * beside, synced, renamed.
 */
import type { Runtime } from '../../runtime/runtime.ts'
import type { Listed } from './service-entry.ts'
import { requireEndpoint } from './service-entry.ts'

const formatVersion = 1
const sizeBytesMax = 64 * 1_048_576

export interface KnownGood {
  readonly listed: readonly Listed[]
  readonly revision: bigint
  /** Wall time of this machine when it was saved. */
  readonly savedAtMs: number
}

export interface LastKnownGood {
  /** @returns what was saved, or why there is nothing: never an error. */
  load(): Promise<KnownGood | { readonly missing: 'absent' | 'damaged' | 'format-too-new' }>
  /** Replaces the file. @throws as the disk does: the old file is still whole. */
  save(known: Omit<KnownGood, 'savedAtMs'>): Promise<void>
}

export function lastKnownGood(
  runtime: Pick<Runtime, 'clock' | 'disk' | 'identity'>,
  path: string,
  service: string,
): LastKnownGood {
  const { clock, disk, identity } = runtime
  const folder = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) || '/' : '.'
  // One process of a name lives at a time, so what a crash left behind is overwritten, not piled up.
  const draft = `${path}.${identity.process}.draft`

  async function read(): Promise<string | undefined> {
    try {
      const file = await disk.open(path, 'read')
      try {
        const size = Math.min(await file.sizeBytes(), sizeBytesMax)
        return new TextDecoder().decode(await file.readAt(0, size))
      } finally {
        await file.close()
      }
    } catch {
      return undefined
    }
  }

  return {
    async load() {
      const text = await read()
      if (text === undefined) return { missing: 'absent' }
      const end = text.indexOf('\n')
      const [magic, format, sum] = text.slice(0, Math.max(0, end)).split(' ')
      const body = text.slice(end + 1)
      if (magic !== 'holdfast-endpoints') return { missing: 'damaged' }
      if (Number(format) > formatVersion) return { missing: 'format-too-new' }
      if (sum !== crc32(new TextEncoder().encode(body))) return { missing: 'damaged' }
      return parse(body, service) ?? { missing: 'damaged' }
    },

    async save({ listed, revision }) {
      const body = JSON.stringify({
        service,
        savedAtMs: clock.wallMs(),
        revision: String(revision),
        listed: listed.map((one) => ({
          ...one,
          born: String(one.born),
          incarnation: String(one.incarnation),
          revision: String(one.revision),
        })),
      })
      const bytes = new TextEncoder().encode(body)
      const head = new TextEncoder().encode(`holdfast-endpoints ${formatVersion} ${crc32(bytes)}\n`)
      await disk.makeDirectory(folder)
      const file = await disk.open(draft, 'create')
      try {
        await file.truncate(0)
        await file.writeAt(0, head)
        await file.writeAt(head.length, bytes)
        await file.sync()
      } finally {
        await file.close()
      }
      await disk.rename(draft, path)
      await disk.syncDirectory(folder)
    },
  }
}

/** JSON has no 64-bit numbers: they are text. */
type SavedEntry = Pick<Listed, 'key' | 'endpoint'> &
  Readonly<Record<'born' | 'incarnation' | 'revision', string>>

/** The checksum has passed, so the shape is ours unless the file belongs to another service. */
function parse(body: string, service: string): KnownGood | undefined {
  try {
    const raw = JSON.parse(body) as {
      service: string
      savedAtMs: number
      revision: string
      listed: SavedEntry[]
    }
    if (raw.service !== service || !Number.isFinite(raw.savedAtMs)) return undefined
    const listed = raw.listed.map((one) => {
      requireEndpoint(one.endpoint)
      return {
        key: one.key,
        endpoint: Object.freeze(one.endpoint),
        born: BigInt(one.born),
        incarnation: BigInt(one.incarnation),
        revision: BigInt(one.revision),
      }
    })
    return { listed, revision: BigInt(raw.revision), savedAtMs: raw.savedAtMs }
  } catch {
    return undefined
  }
}

/** CRC-32 (IEEE 802.3), bit by bit: a list is small and saved rarely. @returns 8 hex digits. */
function crc32(bytes: Uint8Array): string {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return ((crc ^ 0xffffffff) >>> 0).toString(16).padStart(8, '0')
}
