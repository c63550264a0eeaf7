import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { afterAll, describe, expect, it } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-check-'))
afterAll(() => rmSync(folder, { recursive: true }))
const command = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url))
const porcupine = new URL('../../../tests/histories/porcupine/histories.json.gz', import.meta.url)
const histories: Readonly<Record<string, string>> = JSON.parse(
  gunzipSync(readFileSync(porcupine)).toString(),
)

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

function check(text: string | undefined, ...rest: string[]): Promise<Ended> {
  const path = join(folder, 'history')
  if (text !== undefined) writeFileSync(path, text)
  return new Promise((resolve) => {
    execFile(process.execPath, [command, 'check', path, ...rest], (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      resolve({ code, stdout, stderr })
    })
  })
}

/** The one line. */
function told({ stdout }: Ended): Record<string, unknown> {
  expect(stdout.endsWith('\n') && stdout.indexOf('\n') === stdout.length - 1).toBe(true)
  return JSON.parse(stdout)
}

const json = (...events: object[]) => events.map((event) => JSON.stringify(event)).join('\n')
const stale = json(
  { process: 0, type: 'invoke', f: 'write', value: '<script>' },
  { process: 0, type: 'ok', f: 'write' },
  { process: 1, type: 'invoke', f: 'read' },
  { process: 1, type: 'ok', f: 'read', value: null },
)

describe('holdfast check', () => {
  it('ok: exit 0', async () => {
    const ended = await check(
      histories['etcd_002.log'],
      '--model',
      'cas-register',
      '--failed-cas',
      'observed',
    )
    expect(ended.code).toBe(0)
    expect(told(ended)).toMatchObject({ verdict: 'ok', model: 'cas-register', operations: 77 })
    expect(told(ended)).not.toHaveProperty('evidence')
  })

  it('violation: exit 1, and the lines that cannot be right together', async () => {
    const ended = await check(histories['c10-bad.txt'], '--model', 'key-value')
    expect(ended.code).toBe(1)
    const { evidence } = told(ended) as { evidence: { reason: { line: number }[] } }
    expect(evidence.reason.map(({ line }) => line)).toEqual([143, 158])
  })

  it('unknown: exit 2, when the time is over', async () => {
    // Fifty enqueues that all overlap, two of each value, and an order that no prefix of the search gives away.
    const lines: object[] = []
    for (let process = 0; process < 50; process++) {
      lines.push({ process, type: 'invoke', f: 'enqueue', value: process >> 1 })
    }
    for (let process = 0; process < 50; process++) lines.push({ process, type: 'ok', f: 'enqueue' })
    for (let index = 49; index >= 0; index--) {
      lines.push({ process: 'r', type: 'invoke', f: 'dequeue' })
      lines.push({ process: 'r', type: 'ok', f: 'dequeue', value: index === 0 ? 1 : index >> 1 })
    }
    const ended = await check(json(...lines), '--model', 'queue', '--timeout-ms', '300')
    expect(ended.code).toBe(2)
    expect(told(ended)).toMatchObject({ verdict: 'unknown' })
  })

  it('bad input: exit 3, with the line, and nothing on stdout', async () => {
    const cases: [string | undefined, ...string[]][] = [
      [`${stale}\n{`, '--model', 'register'],
      [stale, '--model', 'queue'],
      [stale, '--model', 'constructor'],
      [stale],
      [stale, '--model', 'register', '--timeout-ms', '0'],
      [stale, '--model', 'register', '--format', 'csv'],
      [stale, '--model', 'register', '--strange'],
    ]
    const ended = await Promise.all(cases.slice(3).map((one) => check(...one)))
    for (const one of cases.slice(0, 3)) ended.push(await check(...one))
    for (const { code, stdout, stderr } of ended) {
      expect([code, stdout]).toEqual([3, ''])
      expect(stderr).toMatch(/^holdfast: /)
    }
    expect(ended[4]?.stderr).toContain('line 5: ')
  })

  it('draws a page that needs nothing else and runs nothing', async () => {
    const html = join(folder, 'out.html')
    const ended = await check(stale, '--model', 'register', '--html', html)
    expect(ended.code).toBe(1)
    const page = readFileSync(html, 'utf8')
    expect(page).toContain('cannot follow')
    expect(page).toContain('prefers-color-scheme: dark')
    expect(page).not.toMatch(/<script|https?:|src=|@import/)
  })

  it('transactions, too', async () => {
    const lost = json(
      { process: 0, type: 'invoke', f: 'txn', value: [['append', 'x', 1]] },
      { process: 0, type: 'ok', f: 'txn', value: [['append', 'x', 1]] },
      { process: 1, type: 'invoke', f: 'txn', value: [['r', 'x', null]] },
      { process: 1, type: 'ok', f: 'txn', value: [['r', 'x', []]] },
      { process: 2, type: 'invoke', f: 'txn', value: [['r', 'x', null]] },
      { process: 2, type: 'ok', f: 'txn', value: [['r', 'x', [1]]] },
    )
    const ended = await check(lost, '--model', 'list-append')
    expect([ended.code, told(ended).verdict]).toEqual([1, 'violation'])
  })

  it('--level: the verdict is about the level that was asked for', async () => {
    const txn = (process: number, value: unknown[]) => [
      { process, type: 'invoke', f: 'txn', value },
      { process, type: 'ok', f: 'txn', value },
    ]
    const skew = json(
      { process: 0, type: 'invoke', f: 'txn', value: [] },
      { process: 1, type: 'invoke', f: 'txn', value: [] },
      {
        process: 0,
        type: 'ok',
        f: 'txn',
        value: [
          ['r', 'x', []],
          ['append', 'y', 1],
        ],
      },
      {
        process: 1,
        type: 'ok',
        f: 'txn',
        value: [
          ['r', 'y', []],
          ['append', 'x', 1],
        ],
      },
      ...txn(2, [
        ['r', 'x', [1]],
        ['r', 'y', [1]],
      ]),
    )
    const levels = ['read-uncommitted', 'snapshot-isolation', 'serializable', 'strict-serializable']
    const codes = await Promise.all(
      levels.map((level, index) =>
        check(index === 0 ? skew : undefined, '--model', 'list-append', '--level', level),
      ),
    )
    expect(codes.map(({ code }) => code)).toEqual([0, 0, 1, 1])
    expect((await check(skew, '--model', 'list-append', '--level', 'perfect')).code).toBe(3)
    expect((await check(stale, '--model', 'register', '--level', 'serializable')).code).toBe(3)
  })

  it('--initial: what was there at first', async () => {
    const read = json(
      { process: 1, type: 'invoke', f: 'read' },
      { process: 1, type: 'ok', f: 'read', value: 7 },
    )
    expect((await check(read, '--model', 'register')).code).toBe(1)
    expect((await check(read, '--model', 'register', '--initial', '7')).code).toBe(0)
    expect((await check(read, '--model', 'counter', '--initial', '7')).code).toBe(0)
    expect((await check(read, '--model', 'counter', '--initial', 'x')).code).toBe(3)
    expect((await check(read, '--model', 'set', '--initial', '7')).code).toBe(3)
    expect((await check(read, '--model', 'register', '--initial', '7 8')).code).toBe(3)
  })

  it('a long queue with one value out of turn: decided, and told in few lines', async () => {
    const events: object[] = []
    for (let value = 0; value < 2_000; value += 8) {
      const some = [0, 1, 2, 3, 4, 5, 6, 7]
      const put = (type: string) => (process: number) =>
        events.push({ process, type, f: 'enqueue', value: value + process })
      some.forEach(put('invoke'))
      some.toReversed().forEach(put('ok'))
    }
    for (let value = 0; value < 2_000; value++) {
      const taken = value === 500 ? 1_500 : value === 1_500 ? 500 : value
      events.push({ process: 'r', type: 'invoke', f: 'dequeue' })
      events.push({ process: 'r', type: 'ok', f: 'dequeue', value: taken })
    }
    const ended = await check(json(...events), '--model', 'queue')
    expect(ended.code).toBe(1)
    const { evidence } = told(ended) as { evidence: { reason: unknown[] } }
    expect(evidence.reason.length).toBeLessThanOrEqual(4)
  })
})
