/**
 * The part of `node:fs/promises` that programs use most, over the disk of the simulated machine: torn
 * writes, full disks and failing syncs included. What is not on that disk is looked for among the real
 * files of the program (below its working directory, and in any `node_modules`), which can be read only,
 * as in a container's image.
 */
import fs from 'node:fs'
import { join, resolve } from 'node:path'
import type { DiskFile } from '../../runtime/disk.ts'
import type { Runtime } from '../../runtime/runtime.ts'

type Encoding = BufferEncoding | { readonly encoding?: BufferEncoding | null } | null | undefined
type Data = string | Uint8Array
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

/** As much of a `FileHandle` as programs use. */
class OwnFile {
  readonly #file: DiskFile
  readonly #path: string
  readonly #appends: boolean
  #position = 0

  constructor(file: DiskFile, path: string, appends: boolean) {
    this.#file = file
    this.#path = path
    this.#appends = appends
  }

  async read(buffer: Uint8Array, offset = 0, length = buffer.length - offset, at?: number | null) {
    const bytes = await this.#file
      .readAt(at ?? this.#position, length)
      .catch(translated(this.#path))
    buffer.set(bytes, offset)
    if (typeof at !== 'number') this.#position += bytes.length
    return { bytesRead: bytes.length, buffer }
  }

  /** `write(bytes, offset, length, position)` or `write(text, position, encoding)`. */
  async write(data: Data, first?: number | null, second?: number | string, third?: number | null) {
    const isText = typeof data === 'string'
    const whole = isText ? Buffer.from(data, second as BufferEncoding) : data
    const offset = isText ? 0 : (first ?? 0)
    const length = isText || typeof second !== 'number' ? whole.length - offset : second
    const at = isText ? first : third
    const bytes = whole.subarray(offset, offset + length)
    const end = this.#appends ? await this.#file.sizeBytes() : (at ?? this.#position)
    await this.#file.writeAt(end, bytes).catch(translated(this.#path))
    if (typeof at !== 'number') this.#position = end + bytes.length
    return { bytesWritten: bytes.length, buffer: data }
  }

  async readFile(encoding?: Encoding): Promise<string | Buffer> {
    const sizeBytes = await this.#file.sizeBytes()
    const bytes = await this.#file.readAt(this.#position, sizeBytes).catch(translated(this.#path))
    return encoded(bytes, encoding)
  }

  async appendFile(data: Data, encoding?: Encoding): Promise<void> {
    const name = typeof encoding === 'string' ? encoding : (encoding?.encoding ?? 'utf8')
    await this.write(typeof data === 'string' ? Buffer.from(data, name) : data)
  }

  writeFile(data: Data, encoding?: Encoding): Promise<void> {
    return this.appendFile(data, encoding)
  }
  sync(): Promise<void> {
    return this.#file.sync().catch(translated(this.#path))
  }
  datasync(): Promise<void> {
    return this.sync()
  }
  truncate(sizeBytes = 0): Promise<void> {
    return this.#file.truncate(sizeBytes).catch(translated(this.#path))
  }
  async stat(): Promise<OwnStats> {
    return statsOf(await this.#file.sizeBytes(), false)
  }
  close(): Promise<void> {
    return this.#file.close()
  }
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

interface OwnStats {
  readonly size: number
  isFile(): boolean
  isDirectory(): boolean
  isSymbolicLink(): boolean
}

function statsOf(size: number, folder: boolean): OwnStats {
  return {
    size,
    isFile: () => !folder,
    isDirectory: () => folder,
    isSymbolicLink: () => false,
  }
}

/** The simulated disk has no such file: then perhaps the program came with one. */
function fromProgram<Value>(path: Path, error: unknown, real: () => Value): Value {
  if ((error as { readonly code?: unknown }).code !== 'ENOENT' || !isOfProgram(path)) throw error
  return real()
}

function isRealFolder(path: string): boolean {
  return realStat(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}

function encoded(bytes: Uint8Array, encoding: Encoding): string | Buffer {
  const name = typeof encoding === 'object' ? encoding?.encoding : encoding
  const buffer = Buffer.from(bytes)
  return name === undefined || name === null ? buffer : buffer.toString(name)
}

function textOf(path: Path): string {
  if (path instanceof URL) return decodeURIComponent(path.pathname)
  return typeof path === 'string' ? path : Buffer.from(path).toString()
}

/** As Node names what went wrong. */
function translated(path: string): (cause: unknown) => never {
  return (cause) => {
    const { message } = cause as Error
    if (/no such/.test(message)) throw errorOf('ENOENT', 'no such file or directory', path)
    if (/no space/.test(message)) throw errorOf('ENOSPC', 'no space left on device', path)
    throw errorOf(/closed/.test(message) ? 'EBADF' : 'EIO', message, path)
  }
}

function errorOf(code: string, message: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${message}, '${path}'`), { code, path })
}
