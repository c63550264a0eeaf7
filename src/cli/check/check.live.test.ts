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
    // Fifty pushes that all overlap, then pops in an order that no prefix of the search gives away.
    const lines: object[] = []
    for (let process = 0; process < 50; process++) {
      lines.push({ process, type: 'invoke', f: 'enqueue', value: process })
    }
    for (let process = 0; process < 50; process++) lines.push({ process, type: 'ok', f: 'enqueue' })
    for (let index = 49; index >= 0; index--) {
      lines.push({ process: 'r', type: 'invoke', f: 'dequeue' })
      lines.push({ process: 'r', type: 'ok', f: 'dequeue', value: index === 0 ? 1 : index })
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
})
