/**
 * The part of `node:fs/promises` that programs use most, over the disk of the simulated machine: torn
 * writes, full disks and failing syncs included. What is not on that disk is looked for among the real
 * files of the program (below its working directory, and in any `node_modules`), which can be read only,
 * as in a container's image.
 */
import fs from 'node:fs'
import { join, resolve } from 'node:path'
import type { Runtime } from '../../runtime/runtime.ts'
import {
  type Data,
  type Encoding,
  encoded,
  errorOf,
  OwnFile,
  type OwnStats,
  statsOf,
  translated,
} from './own-file.ts'

type Path = string | URL | Uint8Array

const realReadFile: typeof fs.readFileSync = fs.readFileSync
const realStat: typeof fs.statSync = fs.statSync
const realList: typeof fs.readdirSync = fs.readdirSync

/** Is it a real file that belongs to the program? */
export function isOfProgram(path: unknown): boolean {
  const text = resolve(textOf(path as Path))
  return text.includes('/node_modules/') || text.startsWith(join(process.cwd(), '/'))
}

/** By the names of `node:fs/promises`. */
export function ownFiles({ disk }: Runtime): Readonly<Record<string, unknown>> {
  async function open(given: Path, flags: string | number = 'r'): Promise<OwnFile> {
    const path = textOf(given)
    const mode = modes.get(flags)
    if (mode === undefined) throw new Error(`a simulated world opens no file with flags ${flags}`)
    if (mode.isNew && (await exists(path))) throw errorOf('EEXIST', 'file already exists', path)
    const file = await disk.open(path, mode.how).catch(translated(path))
    if (mode.truncates) await file.truncate(0).catch(translated(path))
    return new OwnFile(file, path, mode.appends)
  }

  const exists = (path: string): Promise<boolean> =>
    disk.open(path, 'read').then(
      (file) => file.close().then(() => true),
      () => false,
    )

  async function within<Value>(
    path: Path,
    flags: string,
    work: (file: OwnFile) => Promise<Value>,
  ): Promise<Value> {
    const file = await open(path, flags)
    try {
      return await work(file)
    } finally {
      await file.close()
    }
  }

  async function readFile(path: Path | OwnFile, encoding?: Encoding): Promise<string | Buffer> {
    if (path instanceof OwnFile) return path.readFile(encoding)
    try {
      return await within(path, 'r', (file) => file.readFile(encoding))
    } catch (error) {
      return fromProgram(path, error, () => encoded(realReadFile(textOf(path)), encoding))
    }
  }

  async function stat(given: Path): Promise<OwnStats> {
    const path = textOf(given)
    try {
      return await within(path, 'r', (file) => file.stat())
    } catch (error) {
      if ((await disk.list(path)).length > 0) return statsOf(0, true)
      return fromProgram(path, error, () => {
        const real = realStat(path)
        return statsOf(real.size, real.isDirectory())
      })
    }
  }

  async function remove(given: Path, options?: { readonly force?: boolean }): Promise<void> {
    const path = textOf(given)
    const removed = await disk.remove(path).catch(translated(path))
    if (!removed && options?.force !== true) throw errorOf('ENOENT', 'no such file', path)
  }

  return {
    open,
    readFile,
    writeFile: (path: Path, data: Data, options?: Encoding & { readonly flag?: string }) =>
      within(path, options?.flag ?? 'w', (file) => file.appendFile(data, options)),
    appendFile: (path: Path, data: Data, options?: Encoding) =>
      within(path, 'a', (file) => file.appendFile(data, options)),
    stat,
    lstat: stat,
    access: async (path: Path) => void (await stat(path)),
    async readdir(given: Path) {
      const path = textOf(given)
      const names = await disk.list(path)
      if (names.length > 0) return names
      return isOfProgram(path) && isRealFolder(path) ? realList(path) : names
    },
    mkdir: (path: Path) => disk.makeDirectory(textOf(path)).catch(translated(textOf(path))),
    rename: (source: Path, target: Path) =>
      disk.rename(textOf(source), textOf(target)).catch(translated(textOf(source))),
    unlink: (path: Path) => remove(path),
    rm: remove,
    truncate: (path: Path, sizeBytes = 0) => within(path, 'r+', (file) => file.truncate(sizeBytes)),
  }
}

const modes: ReadonlyMap<string | number, Mode> = new Map([
  ['r', { how: 'read', truncates: false, appends: false, isNew: false }],
  ['r+', { how: 'update', truncates: false, appends: false, isNew: false }],
  ['w', { how: 'create', truncates: true, appends: false, isNew: false }],
  ['w+', { how: 'create', truncates: true, appends: false, isNew: false }],
  ['wx', { how: 'create', truncates: false, appends: false, isNew: true }],
  ['a', { how: 'create', truncates: false, appends: true, isNew: false }],
  ['a+', { how: 'create', truncates: false, appends: true, isNew: false }],
])
interface Mode {
  readonly how: 'read' | 'update' | 'create'
  readonly truncates: boolean
  readonly appends: boolean
  readonly isNew: boolean
}

/** The simulated disk has no such file: then perhaps the program came with one. */
function fromProgram<Value>(path: Path, error: unknown, real: () => Value): Value {
  if ((error as { readonly code?: unknown }).code !== 'ENOENT' || !isOfProgram(path)) throw error
  return real()
}

function isRealFolder(path: string): boolean {
  return realStat(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}

function textOf(path: Path): string {
  if (path instanceof URL) return decodeURIComponent(path.pathname)
  return typeof path === 'string' ? path : Buffer.from(path).toString()
}
