import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { SqlFile } from '../sql.ts'
import { mountType, networkFileSystem } from './file-systems.ts'
import { holderIn } from './lock-holder.ts'
import { type NodeSqlEngine, sqlEngine } from './sql-engine.ts'
import { checkSqliteFile } from './sqlite-check.ts'
import { loadSqlite } from './sqlite-library.ts'

const migrations = ['CREATE TABLE t (k INTEGER PRIMARY KEY, v BLOB)', 'CREATE INDEX tv ON t (v)']

let folder: string
let path: string
let engine: NodeSqlEngine

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-test-'))
  path = join(folder, 'a.db')
  engine = sqlEngine()
})
afterEach(async () => {
  await engine.close()
  chmodSync(folder, 0o700)
  rmSync(folder, { recursive: true })
})

const open = (): Promise<SqlFile> => engine.open({ path, migrations, busyMs: 200 })

async function fill(): Promise<void> {
  const file = await open()
  await file.run({
    statements: [
      {
        sql: `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 200)
          INSERT INTO t (v) SELECT zeroblob(1000) FROM c`,
      },
    ],
  })
  await file.close()
}

describe('opening', () => {
  it('applies each migration once, also when two open at the same time', async () => {
    await Promise.all([open(), open()])
    await engine.close()
    expect(checkSqliteFile(path)).toEqual([])
    engine = sqlEngine()
    const file = await engine.open({ path, migrations: [...migrations, 'CREATE TABLE u (a)'] })
    const sql = "SELECT name FROM sqlite_master WHERE name IN ('t', 'tv', 'u') ORDER BY 1"
    const { results } = await file.run({ mode: 'read', statements: [{ sql }] })
    expect(results[0]?.rows).toEqual([{ name: 't' }, { name: 'tv' }, { name: 'u' }])
  })

  it('a migration that fails leaves nothing behind', async () => {
    const broken = engine.open({ path, migrations: ['CREATE TABLE a (b); nonsense'] })
    await expect(broken).rejects.toMatchObject({ code: 'invalid-argument' })
    await engine.open({ path, migrations: ['CREATE TABLE a (b)'] })
  })

  it('G-10: a file of a newer version is left alone', async () => {
    await fill()
    const before = readFileSync(path)
    const older = engine.open({ path, migrations: migrations.slice(0, 1) })
    await expect(older).rejects.toMatchObject({
      code: 'format-too-new',
      details: { found: 2, known: 1 },
    })
    expect(readFileSync(path).equals(before)).toBe(true)
    await open()
  })

  it.each([
    ['text', (file: string) => writeFileSync(file, 'hello '.repeat(2_000))],
    ['a few bytes', (file: string) => writeFileSync(file, 'SQLite')],
    ['half of itself', (file: string) => truncateSync(file, statSync(file).size / 2)],
    ['a broken schema', (file: string) => scribble(file, 100, 300)],
  ])('a file that is %s is called damaged, and not changed', async (_, damage) => {
    await fill()
    damage(path)
    const before = readFileSync(path)
    await expect(open()).rejects.toMatchObject({ code: 'corrupt-data', outcome: 'invalid' })
    expect(readFileSync(path).equals(before)).toBe(true)
  })

  it('damage that is found later stops all writes', async () => {
    await fill()
    scribble(path, 8_192, statSync(path).size - 8_192)
    const file = await open()
    const insert = { statements: [{ sql: 'INSERT INTO t (v) VALUES (1)' }] }
    const harmless = { statements: [{ sql: 'SELECT 1 a' }] }
    await expect(file.run(insert)).rejects.toMatchObject({ code: 'corrupt-data' })
    await expect(file.run(harmless)).rejects.toMatchObject({ code: 'corrupt-data' })
    expect(checkSqliteFile(path)).not.toEqual([])
    await expect(file.run({ ...harmless, mode: 'read' })).resolves.toMatchObject({
      results: [{ rows: [{ a: 1 }] }],
    })
  })

  it('an empty file is a new one', async () => {
    writeFileSync(path, '')
    await open()
  })

  it('a missing folder is a mistake in the set-up, by name', async () => {
    path = join(folder, 'no', 'a.db')
    await expect(open()).rejects.toMatchObject({ code: 'configuration', outcome: 'invalid' })
    expect(existsSync(join(folder, 'no'))).toBe(false)
    path = folder
    await expect(open()).rejects.toMatchObject({ code: 'configuration' })
  })

  it.skipIf(process.getuid?.() === 0)('a folder that cannot be written (not as root)', async () => {
    chmodSync(folder, 0o500)
    await expect(open()).rejects.toMatchObject({ code: 'configuration' })
  })

  it('a Node without SQLite is told the command to run', async () => {
    const none = sqlEngine({ libraries: [] })
    await expect(none.open({ path, migrations })).rejects.toMatchObject({
      code: 'configuration',
      message: expect.stringContaining('npm install libsql'),
    })
    expect(() => loadSqlite(['better-sqlite3', 'node:sqlite'].slice(2) as [])).toThrow(
      'npm install',
    )
  })

  it.each(['', ':memory:', 'a\0b'])('G-9: refuses the path %j', async (wrong) => {
    path = wrong
    await expect(engine.open({ path, migrations })).rejects.toMatchObject({
      code: 'invalid-argument',
    })
  })
})

function scribble(file: string, position: number, length: number): void {
  const bytes = readFileSync(file)
  bytes.fill(0xa5, position, position + length)
  writeFileSync(file, bytes)
}

describe('another connection keeps the write lock', () => {
  it('G-1: busy is "not applied", by name; reads go on; it works again after', async () => {
    const file = await open()
    const other = loadSqlite().open(path)
    other.exec('BEGIN IMMEDIATE')
    const insert = { statements: [{ sql: 'INSERT INTO t (v) VALUES (1)' }] }
    const count = { mode: 'read', statements: [{ sql: 'SELECT count(*) n FROM t' }] } as const
    const refused = file.run(insert)
    expect((await file.run(count)).results[0]?.rows).toEqual([{ n: 0 }])
    await expect(refused).rejects.toMatchObject({ code: 'store-busy', details: { busyMs: 200 } })
    const patient = file.run(insert)
    await file.run(count)
    other.exec('COMMIT')
    await patient
    expect((await file.run(count)).results[0]?.rows).toEqual([{ n: 1 }])
    other.close()
  })
})

describe('file systems', () => {
  const mounts = `
22 1 254:0 / / rw - ext4 /dev/vda rw
30 22 0:40 / /home/me/far rw shared:1 - fuse.sshfs me@far: rw
31 22 0:41 / /home/me rw - fuse.fuse-overlayfs overlay rw
32 22 0:42 / /with\\040space rw - fuse.s3fs s3fs rw`

  it('those that reach over a network are refused by name', () => {
    const none = (): undefined => undefined
    expect(networkFileSystem(0x6969, none)).toBe('NFS')
    expect(networkFileSystem(0xff534d42 | 0, none)).toBe('CIFS') // signed, as some systems say it
    expect(networkFileSystem(0xef53, none)).toBeUndefined() // ext4
    expect(networkFileSystem(0x01021994, none)).toBeUndefined() // tmpfs
    expect(networkFileSystem(0x65735546, () => 'fuse.sshfs')).toBe('fuse.sshfs')
    expect(networkFileSystem(0x65735546, () => 'fuse.fuse-overlayfs')).toBeUndefined()
    expect(networkFileSystem(0x65735546, none)).toBe('FUSE')
  })

  it('behind FUSE is what the innermost mount says', () => {
    expect(mountType('/home/me/far/x', mounts)).toBe('fuse.sshfs')
    expect(mountType('/home/me/farther', mounts)).toBe('fuse.fuse-overlayfs')
    expect(mountType('/with space/x', mounts)).toBe('fuse.s3fs')
    expect(mountType('/tmp', mounts)).toBe('ext4')
  })

  it('the holder of the write lock is read from the table of locks', () => {
    const locks = `1: POSIX  ADVISORY  READ 11 fe:00:131 124 124
2: POSIX  ADVISORY  WRITE 12 fe:00:999 120 120
3: POSIX  ADVISORY  WRITE 13 fe:00:131 120 120
4: FLOCK  ADVISORY  WRITE 14 fe:00:131 0 EOF`
    expect(holderIn(locks, 131n)).toBe(13)
    expect(holderIn(locks, 31n)).toBeUndefined()
  })
})
