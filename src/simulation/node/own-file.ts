/**
 * An open file of a patched process: what Node calls a `FileHandle`, over a file of the simulated disk, with
 * the errors that Node gives for what a disk refuses.
 */
import type { DiskFile } from '../../runtime/disk.ts'

export type Encoding =
  | BufferEncoding
  | { readonly encoding?: BufferEncoding | null }
  | null
  | undefined
export type Data = string | Uint8Array

/** As much of a `FileHandle` as programs use. */
export class OwnFile {
  readonly #file: DiskFile
  readonly #path: string
  readonly #appends: boolean
  #position = 0

  constructor(file: DiskFile, path: string, appends: boolean) {
    this.#file = file
    this.#path = path
    this.#appends = appends
  }

  async read(
    buffer: Uint8Array,
    offset: number = 0,
    length: number = buffer.length - offset,
    at?: number | null,
  ): Promise<{ readonly bytesRead: number; readonly buffer: Uint8Array }> {
    const bytes = await this.#file
      .readAt(at ?? this.#position, length)
      .catch(translated(this.#path))
    buffer.set(bytes, offset)
    if (typeof at !== 'number') this.#position += bytes.length
    return { bytesRead: bytes.length, buffer }
  }

  /** `write(bytes, offset, length, position)` or `write(text, position, encoding)`. */
  async write(
    data: Data,
    first?: number | null,
    second?: number | string,
    third?: number | null,
  ): Promise<{ readonly bytesWritten: number; readonly buffer: Data }> {
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

export interface OwnStats {
  readonly size: number
  isFile(): boolean
  isDirectory(): boolean
  isSymbolicLink(): boolean
}

export function statsOf(size: number, folder: boolean): OwnStats {
  return {
    size,
    isFile: () => !folder,
    isDirectory: () => folder,
    isSymbolicLink: () => false,
  }
}

export function encoded(bytes: Uint8Array, encoding: Encoding): string | Buffer {
  const name = typeof encoding === 'object' ? encoding?.encoding : encoding
  const buffer = Buffer.from(bytes)
  return name === undefined || name === null ? buffer : buffer.toString(name)
}

/** As Node names what went wrong. */
export function translated(path: string): (cause: unknown) => never {
  return (cause) => {
    const { message } = cause as Error
    if (/no such/.test(message)) throw errorOf('ENOENT', 'no such file or directory', path)
    if (/no space/.test(message)) throw errorOf('ENOSPC', 'no space left on device', path)
    throw errorOf(/closed/.test(message) ? 'EBADF' : 'EIO', message, path)
  }
}

export function errorOf(code: string, message: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${message}, '${path}'`), { code, path })
}
