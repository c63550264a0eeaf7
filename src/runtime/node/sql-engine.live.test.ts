/**
 * The file under real processes that are killed, stopped and starved at the worst moment.
 */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { SqlFile } from '../sql.ts'
import {
  generator,
  killChildren,
  passMs,
  program,
  type Running,
  start,
  until,
} from './children.bench.ts'
import { writeLockHolder } from './lock-holder.ts'
import { type NodeSqlEngine, sqlEngine } from './sql-engine.ts'
import { loadSqlite } from './sqlite-library.ts'

let folder: string
let path: string
let engine: NodeSqlEngine

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-live-'))
  path = join(folder, 'a.db')
  engine = sqlEngine()
})
afterEach(async () => {
  killChildren()
  await engine.close()
  rmSync(folder, { recursive: true, force: true })
})

const openHere = (busyMs = 5_000): Promise<SqlFile> =>
  engine.open({ path, migrations: ['this never runs: a child has applied its own'], busyMs })

interface Toll {
  readonly kills: number
  readonly acked: number
  readonly stored: number
  /** Told to the caller and not in the file. */
  readonly lost: number
  /** In one table and not in the other. */
  readonly torn: number
  readonly integrity: unknown
}

/** Three lanes of writers, each killed again and again at a moment of chance. */
async function killWriters(role: string, kills: number, seed: number): Promise<Toll> {
  const random = generator(seed)
  const acked = new Set<string>()
  let struck = 0
  async function lane(label: string): Promise<void> {
    for (let life = 0; struck < kills; life++) {
      struck++
      const name = `${label}${life}`
      const writer = start([role, path, name])
      await writer.line(/^acked/)
      await passMs(random() * 60)
      writer.child.kill('SIGKILL')
      expect(await writer.exited, writer.errors.join('')).toBe('SIGKILL')
      for (const line of writer.lines) {
        const n = /^acked (\d+)$/.exec(line)?.[1]
        if (n !== undefined) acked.add(`${name}/${n}`)
      }
    }
  }
  await Promise.all([lane('a'), lane('b'), lane('c')])

  const database = loadSqlite().open(path)
  try {
    const read = (sql: string) => database.prepare(sql).run([]).rows
    const stored = new Set(read('SELECT who, n FROM debit').map(({ who, n }) => `${who}/${n}`))
    return {
      kills: struck,
      acked: acked.size,
      stored: stored.size,
      lost: [...acked].filter((key) => !stored.has(key)).length,
      torn: Number(
        read(`SELECT count(*) c FROM (SELECT * FROM (SELECT * FROM debit EXCEPT SELECT * FROM credit)
          UNION ALL SELECT * FROM (SELECT * FROM credit EXCEPT SELECT * FROM debit))`)[0]?.c,
      ),
      integrity: read('PRAGMA integrity_check')[0]?.integrity_check,
    }
  } finally {
    database.close()
  }
}

describe('processes that are killed', () => {
  it('G-1: after 120 kills everything acknowledged is there, whole', async () => {
    const seed = 20_261_121
    const toll = await killWriters('write', 120, seed)
    expect(toll, `seed ${seed}`).toMatchObject({ lost: 0, torn: 0, integrity: 'ok' })
    expect(toll.kills).toBeGreaterThanOrEqual(100)
    expect(toll.acked).toBeGreaterThan(toll.kills)
    expect(toll.stored).toBeGreaterThanOrEqual(toll.acked)
  })

  it('negative control: a writer that acknowledges too early is caught', async () => {
    const toll = await killWriters('write-tell-early', 15, 7)
    expect(toll.lost).toBeGreaterThan(0)
  })
})

describe('durability', () => {
  /** How often the process asked the disk to sync, counted by strace. */
  async function syncs(durability: string, batches: number): Promise<number> {
    const report = join(folder, `strace-${durability}`)
    const traced = ['strace', '-f', '-qq', '-e', 'trace=fsync,fdatasync', '-o', report]
    const child = start(
      ['sync', join(folder, `${durability}.db`), durability, String(batches)],
      [...traced, process.execPath, program],
    )
    await child.line(/done/)
    await child.exited
    return readFileSync(report, 'utf8')
      .split('\n')
      .filter((line) => / = 0$/.test(line)).length
  }

  it('full syncs once for every batch that waits alone, relaxed does not', async (context) => {
    try {
      execFileSync('strace', ['-o', '/dev/null', 'true'], { stdio: 'pipe' })
    } catch {
      context.skip('strace is missing or not allowed')
      return
    }
    expect(await syncs('full', 40)).toBeGreaterThanOrEqual(40)
    expect(await syncs('relaxed', 40)).toBeLessThan(20) // opening and closing take some
  })
})

describe('the log', () => {
  it('G-11: stays bounded while 300 MB are written, and is cut back when the file is quiet', async () => {
    const file = await engine.open({ path, migrations: ['CREATE TABLE b (v BLOB)'] })
    const reader = loadSqlite().open(path)
    const sql = 'INSERT INTO b VALUES (zeroblob(1000000))'
    let largest = 0
    const walBytes = (): number => statSync(`${path}-wal`).size
    for (let n = 0; n < 300; n++) {
      // A reader that comes and goes, as in life: it delays the copying of the log.
      if (n % 20 === 0) reader.exec('BEGIN; SELECT count(*) FROM b')
      if (n % 20 === 10) reader.exec('ROLLBACK')
      await file.run({ statements: [{ sql }], durability: 'relaxed' })
      largest = Math.max(largest, walBytes())
    }
    expect(largest).toBeLessThan(100_000_000)
    await until(() => walBytes() === 0)
    const { results } = await file.run({
      mode: 'read',
      statements: [{ sql: 'SELECT count(*) n FROM b' }],
    })
    expect(results[0]?.rows).toEqual([{ n: 300 }])
    reader.close()
  })
})

/** Stops the child at a moment when it holds the write lock. */
async function stopInsideCommit(holder: Running): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    await passMs(5)
    if (writeLockHolder(path) !== holder.pid) continue
    holder.child.kill('SIGSTOP')
    await passMs(5)
    if (writeLockHolder(path) === holder.pid) return
    holder.child.kill('SIGCONT')
  }
  throw new Error('the child was never found inside a commit')
}

describe.runIf(process.platform === 'linux')('a process that is stopped inside a commit', () => {
  it('others are told who it is, still read, and go on after it', async () => {
    const holder = start(['hold', path, 'holder'])
    await holder.line(/held/)
    const file = await openHere(300)
    await stopInsideCommit(holder)
    const write = {
      statements: [{ sql: "INSERT INTO debit VALUES ('me', 1)", expect: 1 }],
    }
    const read = { mode: 'read', statements: [{ sql: 'SELECT count(*) n FROM debit' }] } as const
    const refused = file.run(write)
    expect((await file.run(read)).results[0]?.rows).toEqual([{ n: 0 }]) // not held up
    await expect(refused).rejects.toMatchObject({
      code: 'store-busy',
      outcome: 'not-applied',
      details: { holder: holder.pid, busyMs: 300 },
    })
    holder.child.kill('SIGCONT')
    holder.child.kill('SIGTERM')
    await holder.exited
    await file.run(write)
    expect((await file.run(read)).results[0]?.rows).toEqual([{ n: 1 }])
  })
})

describe('no room', () => {
  function seen(filler: Running): { acked: number; failed: string[] } {
    return {
      acked: filler.lines.filter((line) => line.startsWith('acked')).length,
      failed: filler.lines.filter((line) => line.startsWith('failed')),
    }
  }

  async function storedHere(): Promise<unknown> {
    const file = await openHere()
    const read = { mode: 'read', statements: [{ sql: 'SELECT count(*) n FROM bulk' }] } as const
    return (await file.run(read)).results[0]?.rows[0]?.n
  }

  it.runIf(process.platform !== 'win32')('a limit on file size: not applied', async () => {
    const limited = `ulimit -f 2000; exec "${process.execPath}" "${program}" "$@"`
    const filler = start(['fill', path, 'f', '500'], ['/bin/bash', '-c', limited, 'fill'])
    await filler.line(/done/)
    await filler.exited
    const { acked, failed } = seen(filler)
    expect(acked).toBeGreaterThan(5)
    expect(failed).toEqual(['failed unavailable not-applied'])
    expect(await storedHere()).toBe(acked)
  })

  it('a full disk: not applied, nothing lost, and on it goes when there is room', async (context) => {
    const disk = join(folder, 'disk')
    mkdirSync(disk)
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk], { stdio: 'pipe' })
    } catch {
      context.skip('a small disk can be mounted only by root')
      return
    }
    try {
      path = join(disk, 'a.db')
      const ballast = join(disk, 'ballast')
      writeFileSync(ballast, Buffer.alloc(500_000))
      const filler = start(['fill', path, 'f', '500'])
      await filler.line(/done/)
      const { acked, failed } = seen(filler)
      expect(acked).toBeGreaterThan(5)
      expect(failed).toEqual(['failed unavailable not-applied'])
      expect(await storedHere()).toBe(acked)
      rmSync(ballast)
      const again = start(['fill', path, 'g', '1'])
      await again.line(/acked 0/)
      await again.exited
      expect(await storedHere()).toBe(acked + 1)
      await engine.close()
    } finally {
      killChildren()
      await passMs(50)
      execFileSync('umount', ['-l', disk])
    }
  })
})

describe.runIf(process.getuid?.() === 0)('a user who may not write', () => {
  const nobody = 65_534

  it.each([
    ['nor look into the folder', 0o700],
    ['into the folder', 0o755],
  ])('%s: a mistake in the set-up, by name', async (_, mode) => {
    chmodSync(folder, mode)
    const child = start(['fill', path, 'f', '1'], undefined, nobody)
    await expect(child.line(/acked/)).rejects.toThrow("code: 'configuration'")
  })

  it('to a file of another: a mistake in the set-up, by name', async () => {
    const owner = start(['fill', path, 'f', '1'])
    await owner.exited
    chmodSync(folder, 0o755)
    const child = start(['fill', path, 'g', '1'], undefined, nobody)
    await expect(child.line(/acked/)).rejects.toThrow("code: 'configuration'")
  })
})

describe('hints between processes', () => {
  const ping = {
    statements: [{ sql: "DELETE FROM debit WHERE who = 'nobody'" }],
    durability: 'relaxed',
    hints: ['ping'],
  } as const
  const peers = async (file: SqlFile): Promise<readonly string[]> => {
    const statements = [{ sql: 'SELECT address FROM holdfast_peer ORDER BY 1' }]
    const { results } = await file.run({ mode: 'read', statements })
    return results[0]?.rows.map(({ address }) => String(address)) ?? []
  }

  it('G-13: a commit wakes a listener elsewhere; a dead one is swept away', async () => {
    const listener = start(['listen', path, 'l'])
    await listener.line(/listening/)
    const file = await openHere()
    // The start wakes once for everything; what comes after it is a hint.
    await listener.line(/woken/)
    listener.lines.length = 0
    await file.run({ ...ping, hints: ['other'] })
    await file.run(ping)
    await listener.line(/woken/)
    expect(listener.lines).toEqual(['woken'])
    const [address = ''] = await peers(file)
    expect(existsSync(address)).toBe(true)

    listener.child.kill('SIGKILL')
    await listener.exited
    await file.run(ping)
    await until(async () => (await peers(file)).length === 0)
    expect(existsSync(address)).toBe(false)
  })

  it('a process that listens to nothing is not in the table', async () => {
    const writer = start(['write', path, 'w'])
    await writer.line(/acked/)
    expect(await peers(await openHere())).toEqual([])
  })
})

describe('the life of a process', () => {
  it('exit in the middle of commits is clean, again and again', async () => {
    const codes = new Set<number | string>()
    for (let life = 0; life < 40; life++) codes.add(await start(['exit', path, `e${life}`]).exited)
    expect([...codes]).toEqual([0])
  })

  it('G-8: an open file and a listener keep no process alive', async () => {
    expect(await start(['idle', path, 'i']).exited).toBe(0)
  })

  it('G-8: a batch that waits for its answer does', async () => {
    expect(await start(['leave', path, 'leaver']).exited).toBe(0)
    const file = await openHere()
    const statements = [{ sql: 'SELECT who FROM debit' }]
    const { results } = await file.run({ mode: 'read', statements })
    expect(results[0]?.rows).toEqual([{ who: 'leaver' }])
  })
})
