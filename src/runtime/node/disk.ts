/**
 * Files through `node:fs`. What is added to it is the answer to "did it happen?", and one rule: after
 * a failed sync the file stays failed, because the kernel may have dropped the pages and would call
 * the next sync a success.
 */
import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, rename, unlink } from 'node:fs/promises'
import { InvalidArgumentError, OutcomeUnknownError, UnavailableError } from '../../errors.ts'
import type { Disk, DiskFile, OpenMode } from '../disk.ts'

const readLengthMax = 2 ** 30

const flags: Readonly<Record<OpenMode, number>> = {
  read: constants.O_RDONLY,
  update: constants.O_RDWR,
  create: constants.O_RDWR | constants.O_CREAT,
}

export function nodeDisk(): Disk {
  return {
    open: async (path, mode) =>
      diskFile(path, await told(`open ${path}`, open(path, flags[mode], 0o644))),
    rename: (source, target) => told(`rename ${source}`, rename(source, target)),
    async remove(path) {
      try {
        await unlink(path)
        return true
      } catch (cause) {
        if (codeOf(cause) === 'ENOENT') return false
        throw failure(`remove ${path}`, cause)
      }
    },
    async list(path) {
      try {
        return (await readdir(path)).sort()
      } catch (cause) {
        if (codeOf(cause) === 'ENOENT') return []
        throw failure(`list ${path}`, cause)
      }
    },
    async makeDirectory(path) {
      await told(`make ${path}`, mkdir(path, { recursive: true }))
    },
    async syncDirectory(path) {
      // Windows cannot open a folder; its file systems write names in order by themselves.
      if (process.platform === 'win32') return
      const handle = await told(`open ${path}`, open(path, constants.O_RDONLY))
      try {
        await handle.sync().catch((cause: unknown) => {
          throw new OutcomeUnknownError(`the sync of ${path} failed`, { cause })
        })
      } finally {
        await handle.close()
      }
    },
  }
}

function diskFile(path: string, handle: FileHandle): DiskFile {
  let syncFailure: OutcomeUnknownError | undefined
  let closing: Promise<void> | undefined

  async function readAt(position: number, length: number): Promise<Uint8Array> {
    requireRange('position', position, Number.MAX_SAFE_INTEGER)
    requireRange('length', length, readLengthMax)
    const bytes = new Uint8Array(length)
    let done = 0
    while (done < length) {
      const { bytesRead } = await told(
        `read ${path}`,
        handle.read(bytes, done, length - done, position + done),
      )
      if (bytesRead === 0) break
      done += bytesRead
    }
    return done === length ? bytes : bytes.slice(0, done)
  }

  async function writeAt(position: number, bytes: Uint8Array): Promise<void> {
    requireRange('position', position, Number.MAX_SAFE_INTEGER)
    let done = 0
    while (done < bytes.length) {
      try {
        const { bytesWritten } = await handle.write(
          bytes,
          done,
          bytes.length - done,
          position + done,
        )
        done += bytesWritten
      } catch (cause) {
        if (done === 0) throw failure(`write ${path}`, cause)
        throw new OutcomeUnknownError(
          `the write of ${path} stopped after ${done} of ${bytes.length} bytes`,
          { cause },
        )
      }
    }
  }

  return {
    readAt,
    writeAt,
    async sync() {
      if (syncFailure) throw syncFailure
      try {
        await handle.datasync()
      } catch (cause) {
        syncFailure = new OutcomeUnknownError(`the sync of ${path} failed`, { cause })
        throw syncFailure
      }
    },
    async truncate(sizeBytes) {
      requireRange('sizeBytes', sizeBytes, Number.MAX_SAFE_INTEGER)
      await told(`truncate ${path}`, handle.truncate(sizeBytes))
    },
    async sizeBytes() {
      return (await told(`stat ${path}`, handle.stat())).size
    },
    close() {
      closing ??= handle.close()
      return closing
    },
  }
}

async function told<Value>(what: string, work: Promise<Value>): Promise<Value> {
  try {
    return await work
  } catch (cause) {
    throw failure(what, cause)
  }
}

/** An I/O error may have come half-way; every other refusal comes before anything is done. */
function failure(what: string, cause: unknown): UnavailableError | OutcomeUnknownError {
  const code = codeOf(cause)
  const message = `could not ${what}: ${code}`
  return code === 'EIO'
    ? new OutcomeUnknownError(message, { cause })
    : new UnavailableError(message, { cause, details: { system: code } })
}

function codeOf(cause: unknown): string {
  return String((cause as { readonly code?: unknown } | undefined)?.code ?? cause)
}

function requireRange(subject: string, value: number, max: number): void {
  if (Number.isSafeInteger(value) && value >= 0 && value <= max) return
  throw new InvalidArgumentError(`${subject} is ${value}; expected a whole number from 0 to ${max}`)
}
