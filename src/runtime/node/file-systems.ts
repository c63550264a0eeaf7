/**
 * SQLite's write-ahead log shares memory between processes and trusts file locks. On a file system
 * that reaches over a network neither holds, and the file is damaged sooner or later: so it is refused
 * before it is opened.
 */
import { readFileSync, statfsSync } from 'node:fs'
import { ConfigurationError } from '../../errors.ts'

/** Numbers that Linux gives in `statfs`, from linux/magic.h and the file systems' own sources. */
const networkTypes: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
  [0x01021997, '9p'],
  [0x00c36400, 'Ceph'],
  [0x5346414f, 'AFS'],
  [0x6b414653, 'kAFS'],
  [0x73757245, 'Coda'],
  [0x564c, 'NCP'],
  [0x0bd00bd0, 'Lustre'],
  [0x47504653, 'GPFS'],
  [0x7461636f, 'OCFS2'],
  [0x01161970, 'GFS2'],
  [0x19830326, 'BeeGFS'],
  [0xaad7aaea, 'PanFS'],
])

const fuse = 0x65735546

/** FUSE says nothing about what is behind it; these are known to be local. */
const localFuse: ReadonlySet<string> = new Set([
  'fuseblk',
  'fuse.fuse-overlayfs',
  'fuse.ntfs-3g',
  'fuse.lxcfs',
])

/** @throws {ConfigurationError} the folder is on a network file system. */
export function refuseNetworkFileSystem(folder: string): void {
  if (process.platform === 'win32' && /^[\\/]{2}[^?.]/.test(folder))
    refuse(folder, 'a network share')
  if (process.platform !== 'linux') return // other systems give no portable type
  let type: number
  try {
    type = statfsSync(folder).type
  } catch {
    return // the open that follows says what is wrong with the folder
  }
  const name = networkFileSystem(type, () => mountType(folder, readMounts()))
  if (name) refuse(folder, name)
}

/** @returns its name, or `undefined` if the type is taken for local. */
export function networkFileSystem(
  type: number,
  fuseMount: () => string | undefined,
): string | undefined {
  const unsigned = type >>> 0 // some C libraries give a signed number
  if (unsigned !== fuse) return networkTypes.get(unsigned)
  const mount = fuseMount() ?? 'FUSE'
  return localFuse.has(mount) ? undefined : mount
}

/** The type of the innermost mount that holds the folder, from the text of mountinfo(5). */
export function mountType(folder: string, mountInfo: string): string | undefined {
  let best: { readonly point: string; readonly type: string } | undefined
  for (const line of mountInfo.split('\n')) {
    const [left = '', right = ''] = line.split(' - ')
    const point = left.split(' ')[4]?.replaceAll('\\040', ' ')
    const type = right.split(' ')[0]
    if (!point || !type) continue
    const holds = folder === point || folder.startsWith(point === '/' ? '/' : `${point}/`)
    // Later lines cover earlier ones at the same point.
    if (holds && point.length >= (best?.point.length ?? 0)) best = { point, type }
  }
  return best?.type
}

function readMounts(): string {
  try {
    return readFileSync('/proc/self/mountinfo', 'utf8')
  } catch {
    return ''
  }
}

function refuse(folder: string, name: string): never {
  throw new ConfigurationError(
    `"${folder}" is on ${name}: processes on several machines cannot share an embedded file. ` +
      'Put it on a local disk, or use a server (postgres, redis, etcd)',
    { details: { folder, fileSystem: name } },
  )
}
