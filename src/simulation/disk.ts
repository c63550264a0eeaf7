/**
 * The disk of a simulated machine tells the truth about durability: a write is in the page cache until
 * `sync`, a name until `syncDirectory`. A killed process loses nothing; a power cut keeps what was
 * synced and a drawn part of the rest: all, nothing, a prefix of the writes, or single sectors.
 */
import { OutcomeUnknownError, UnavailableError } from '../errors.ts'
import type { Disk, DiskFile, OpenMode } from '../runtime/disk.ts'
import type { Draws } from './chance.ts'
import type { Core } from './core.ts'
import { type FileNode, fileNode, sectorBytes } from './disk-file.ts'
import { type Incarnation, never } from './incarnation.ts'
import { streamOf } from './weather.ts'

export interface MachineDisk {
  disk(owner: Incarnation): Disk
  /** Power cut; with `torn` the sectors being written tear in the middle. */
  crash(torn: boolean): void
  /** The disk is gone, and an empty one is in its place. */
  lose(): void
  /** Flips a bit of a safe sector that may rot. @returns which; `undefined` if there is none. */
  rot(draws: Draws, mayRot: MayRot): string | undefined
  holds(path: string, sizeBytes: number): boolean
}

/** Would this sector of this file still be whole on a majority of those who have it? */
export type MayRot = (path: string, sector: number) => boolean

/** A change of names that is not durable yet, and the folders whose sync makes it so. */
interface NameChange {
  readonly folders: readonly string[]
  apply(names: Map<string, FileNode>): void
}

/** Folders that are always there. */
const roots = ['', '/', '.'] as const
const times = { quick: 30, sync: 2_000 } as const

export function machineDisk(core: Core, machine: string): MachineDisk {
  const { scheduler, weather } = core
  let names = new Map<string, FileNode>()
  let durableNames = new Map<string, FileNode>()
  let changes: NameChange[] = []
  const folders = new Set<string>(roots)
  const trouble = weather.diskOf(machine)
  const crashDraws = streamOf(core.key, `disk crash of ${machine}`)

  function change(folderPaths: readonly string[], apply: NameChange['apply']): void {
    apply(names)
    changes.push({ folders: folderPaths, apply })
  }

  function openNode(path: string, mode: OpenMode): FileNode {
    const known = names.get(path)
    if (known !== undefined) return known
    if (mode !== 'create') throw new UnavailableError(`${path}: no such file`)
    if (!folders.has(folderOf(path))) throw new UnavailableError(`${path}: no such folder`)
    const made = fileNode()
    change([folderOf(path)], (target) => target.set(path, made))
    return made
  }

  function rename(source: string, target: string): void {
    const moved = names.get(source)
    if (moved === undefined) throw new UnavailableError(`${source}: no such file`)
    if (!folders.has(folderOf(target))) throw new UnavailableError(`${target}: no such folder`)
    change([folderOf(source), folderOf(target)], (all) => {
      if (all.get(source) === moved) all.delete(source)
      all.set(target, moved)
    })
  }

  function remove(path: string): boolean {
    if (!names.has(path)) return false
    change([folderOf(path)], (all) => all.delete(path))
    return true
  }

  function makeDirectory(path: string): void {
    const parts = normal(path).split('/')
    for (let count = 1; count <= parts.length; count++) folders.add(parts.slice(0, count).join('/'))
  }

  function syncDirectory(path: string): void {
    const folder = normal(path)
    changes = changes.filter((entry) => {
      if (!entry.folders.includes(folder)) return true
      entry.apply(durableNames)
      return false
    })
  }

  function disk(owner: Incarnation): Disk {
    const draws = streamOf(owner.key, 'disk')

    /** Does `work` once the disk has taken its time; a dead process gets no answer. */
    function operation<Value>(baseUs: number, kind: string, work: () => Value): Promise<Value> {
      if (!owner.alive) return never()
      return new Promise((resolve, reject) => {
        const delayUs = weather.diskUs(machine, baseUs, draws)
        scheduler.after(owner, delayUs, kind, () => {
          try {
            resolve(work())
          } catch (error) {
            reject(error)
          }
        })
      })
    }

    function file(node: FileNode, path: string): DiskFile {
      let open = true
      const write = (position: number, bytes: Uint8Array): void => {
        // Space that a file has already is there, also on a full disk.
        if (position + bytes.length > use().sizeBytes()) requireSpace(draws, path)
        use().write(position, bytes)
      }
      const sync = (): void => {
        if (trouble.syncFailureShare > 0 && draws.happens(trouble.syncFailureShare)) {
          use().failSync(draws)
          throw new OutcomeUnknownError(`${path}: sync failed`)
        }
        if (!use().sync()) return
        core.progress.committed()
        core.recorder?.mark('sync', owner.name, path)
      }
      const use = (): FileNode => {
        if (!open) throw new UnavailableError(`${path}: the file is closed`)
        return node
      }
      return {
        readAt: (position, length) =>
          operation(times.quick, 'disk read', () => use().read(position, length)),
        writeAt(position, bytes) {
          const copy = bytes.slice()
          return operation(times.quick, 'disk write', () => write(position, copy))
        },
        sync: () => operation(times.sync, 'disk sync', sync),
        truncate: (sizeBytes) =>
          operation(times.quick, 'disk write', () => use().truncate(sizeBytes)),
        sizeBytes: () => operation(times.quick, 'disk read', () => use().sizeBytes()),
        close: () =>
          operation(times.quick, 'disk close', () => {
            open = false
          }),
      }
    }

    return {
      open: (path, mode) =>
        operation(times.quick, 'disk open', () => {
          if (mode === 'create' && !names.has(normal(path))) requireSpace(draws, path)
          return file(openNode(normal(path), mode), normal(path))
        }),
      rename: (source, target) =>
        operation(times.quick, 'disk rename', () => rename(normal(source), normal(target))),
      remove: (path) => operation(times.quick, 'disk remove', () => remove(normal(path))),
      list: (path) => operation(times.quick, 'disk list', () => list(normal(path))),
      makeDirectory: (path) => operation(times.quick, 'disk mkdir', () => makeDirectory(path)),
      syncDirectory: (path) =>
        operation(times.sync, 'disk sync', () => {
          if (trouble.syncFailureShare > 0 && draws.happens(trouble.syncFailureShare)) {
            throw new OutcomeUnknownError(`${path}: sync failed`)
          }
          syncDirectory(path)
        }),
    }
  }

  function requireSpace(draws: Draws, path: string): void {
    if (trouble.fullShare === 0 || !draws.happens(trouble.fullShare)) return
    throw new UnavailableError(`${path}: no space left on the disk`)
  }

  function rot(draws: Draws, mayRot: MayRot): string | undefined {
    const paths = [...durableNames.keys()].sort()
    for (let attempt = 0; attempt < 16 && paths.length > 0; attempt++) {
      const path = draws.pick(paths)
      const node = durableNames.get(path)
      const sectors = Math.ceil((node?.sizeBytes() ?? 0) / sectorBytes)
      const sector = draws.below(Math.max(1, sectors))
      if (sectors === 0 || !mayRot(path, sector)) continue
      if (node?.flip(sector, draws)) return `${path} sector ${sector}`
    }
    return undefined
  }

  function list(folder: string): readonly string[] {
    return [...names.keys(), ...folders]
      .filter((path) => path !== folder && path !== '' && folderOf(path) === folder)
      .map((path) => path.slice(path.lastIndexOf('/') + 1))
      .filter((name) => name !== '')
      .sort()
  }

  return {
    disk,
    rot,
    holds: (path, sizeBytes) => (durableNames.get(path)?.sizeBytes() ?? 0) >= sizeBytes,
    lose() {
      names = new Map()
      durableNames = new Map()
      changes = []
      folders.clear()
      for (const root of roots) folders.add(root)
    },
    crash(torn) {
      // A journal keeps the order of name changes: what survives is a prefix of them.
      const kept = keptCount(changes.length, crashDraws)
      for (const entry of changes.slice(0, kept)) entry.apply(durableNames)
      changes = []
      for (const node of new Set([...names.values(), ...durableNames.values()])) {
        node.crash(crashDraws, torn)
      }
      names = new Map(durableNames)
      durableNames = new Map(names)
    },
  }
}

function keptCount(count: number, draws: Draws): number {
  return count === 0 ? 0 : draws.below(count + 1)
}

function normal(path: string): string {
  const trimmed = path.replace(/\/{2,}/g, '/').replace(/^\.\//, '')
  return trimmed.length > 1 && trimmed.endsWith('/') ? trimmed.slice(0, -1) : trimmed
}

function folderOf(path: string): string {
  const slash = path.lastIndexOf('/')
  if (slash < 0) return '.'
  return slash === 0 ? '/' : path.slice(0, slash)
}
