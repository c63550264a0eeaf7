/**
 * The same seeds, the same worlds, on every engine we can get: this Node, the newer ones, and a browser.
 * Their traces must be the same to the last event.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openBrowser, openPage } from '../console/browser.ts'

const here = dirname(fileURLToPath(import.meta.url))
const root = dirname(dirname(here))
const run = promisify(execFile)
const newerNodes = ['22.23.3', '24.21.0']

interface Traces {
  readonly found: Readonly<Record<string, Trace>>
  /** Of a world that gives away its engine. */
  readonly curious: string
  /** What failed where nobody caught an error. */
  readonly careless: readonly string[]
}
interface Trace {
  readonly traceHash: string
  readonly events: number
  readonly seedsThatCount: number
  readonly failed: readonly string[]
  /** Labels that the world went through, and in how many seeds. */
  readonly reached: Readonly<Record<string, number>>
}

let folder = ''
let ours: Traces

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-determinism-'))
  const installed = install()
  ours = await onNode(process.execPath)
  await installed
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function onNode(executable: string): Promise<Traces> {
  const { stdout } = await run(executable, [join(here, 'on-node.mjs')], { cwd: root })
  return JSON.parse(stdout)
}

/** Each Node as a package of the registry. */
async function install(): Promise<void> {
  const dependencies: Record<string, string> = {}
  for (const version of newerNodes) {
    dependencies[`node-${version}`] = `npm:node-${process.platform}-${process.arch}@${version}`
  }
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies }))
  await run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: folder })
}

it('the worlds do something: most seeds count, and none fails', () => {
  for (const [name, { events, seedsThatCount, failed }] of Object.entries(ours.found)) {
    expect(failed, name).toEqual([])
    expect(events, name).toBeGreaterThan(200)
    expect(seedsThatCount, name).toBeGreaterThanOrEqual(5)
  }
  expect(Object.keys(ours.found)).toHaveLength(6)
  expect(ours.careless).toEqual(['uncaught error of m/p'])
})

it('the protocols go through what is hard for them', () => {
  const hard: Readonly<Record<string, readonly string[]>> = {
    raft: ['three terms had leaders', 'a snapshot was installed', 'an outcome was unknown'],
    paxos: ['the leader changed', 'a snapshot was installed', 'a ballot was outbid'],
  }
  for (const [name, labels] of Object.entries(hard)) {
    for (const label of labels) {
      expect(ours.found[name]?.reached[label] ?? 0, `${name}: ${label}`).toBeGreaterThan(0)
    }
  }
})

describe('G-14: a seed is the same run', () => {
  it.each(newerNodes)('on Node %s', async (version) => {
    const theirs = await onNode(join(folder, 'node_modules', `node-${version}`, 'bin/node'))
    expect(theirs.found).toEqual(ours.found)
    expect(theirs.careless).toEqual(ours.careless)
    expect(theirs.curious).not.toBe(ours.curious) // or the comparison would prove nothing
  })

  it('in Chromium', async () => {
    const server = await serveFiles()
    const browser = await openBrowser()
    try {
      const { port } = server.address() as AddressInfo
      const open = await openPage(browser, `http://127.0.0.1:${port}/tests/determinism/page.html`)
      const theirs = (await open.page.evaluate('globalThis.traces')) as Traces
      expect(theirs.found).toEqual(ours.found)
      expect(theirs.careless).toEqual(ours.careless)
      expect(theirs.curious).not.toBe(ours.curious)
      expect(open.complaints).toEqual([])
    } finally {
      await browser.close()
      server.close()
    }
  })
})

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
}

/** The package as built, what it takes from the registry, and this folder. */
function serveFiles(): Promise<Server> {
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url ?? '/', 'http://localhost').pathname)
    const type = types[extname(path)]
    if (type === undefined || !/^\/(?:dist|node_modules\/@noble|tests\/determinism)\//.test(path)) {
      response.writeHead(path === '/favicon.ico' ? 204 : 404).end()
      return
    }
    response.writeHead(200, { 'content-type': type }).end(readFileSync(join(root, path)))
  })
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)))
}
