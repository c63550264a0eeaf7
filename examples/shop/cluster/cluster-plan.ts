/**
 * Where the three members of the shop's cluster are reached, and the secret that they and the services share:
 * drawn once by whoever comes first, and kept in the shop's folder, because a member's address is part of what
 * the cluster has agreed on.
 */
import { randomBytes, randomInt } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import process from 'node:process'

export interface ClusterPlan {
  readonly version: 1
  /** `host:port` by the member's id. */
  readonly members: Readonly<Record<string, string>>
  readonly secret: string
}

const ids = ['cluster-1', 'cluster-2', 'cluster-3'] as const

export async function clusterPlan(dataFolder: string): Promise<ClusterPlan> {
  const folder = `${dataFolder}/cluster`
  const path = `${folder}/plan.json`
  mkdirSync(folder, { recursive: true })
  const own = `${path}.${process.pid}`
  const drawn = read(path) ?? (await draw())
  writeFileSync(own, JSON.stringify(drawn), { mode: 0o600 })
  try {
    // A link is made whole or not at all, and never over another one: the first plan counts.
    linkSync(own, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    rmSync(own)
  }
  return read(path) ?? drawn
}

function read(path: string): ClusterPlan | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as ClusterPlan
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function draw(): Promise<ClusterPlan> {
  const members: Record<string, string> = {}
  for (const id of ids) {
    let port = await freePort()
    while (Object.values(members).includes(`127.0.0.1:${port}`)) port = await freePort()
    members[id] = `127.0.0.1:${port}`
  }
  return { version: 1, members, secret: randomBytes(32).toString('hex') }
}

/**
 * Below the ports that systems give to outgoing connections: while a member is down, nobody else is handed
 * its port.
 */
async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_240, 32_768)
    if (await isFree(port)) return port
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
