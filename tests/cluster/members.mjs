// Three members in three processes on this machine, each with a folder and a disk of its own.
import { fork, spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { wires } from './wires.mjs'

const program = fileURLToPath(new URL('member.mjs', import.meta.url))
export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })

/**
 * @param options.folderOf where a member keeps its files; default a folder for each in `folder`.
 * @param options.said is told whatever happens to members.
 */
export async function threeMembers(folder, options = {}) {
  const { electionMs = 1_000, snapshotEveryEntries = 5_000, answersEarly = false } = options
  const { folderOf = (id) => join(folder, id), said = () => {} } = options
  const ids = ['a', 'b', 'c']
  const ports = await Promise.all(ids.map(freePort))
  const addresses = Object.fromEntries(ids.map((id, at) => [id, `127.0.0.1:${ports[at]}`]))
  const between = await wires(addresses)
  const members = new Map(ids.map((id) => [id, { id, child: undefined, stopped: undefined }]))

  function start(id) {
    const member = members.get(id)
    const given = { id, addresses, folder: folderOf(id), wires: between.address }
    const text = JSON.stringify({ ...given, electionMs, snapshotEveryEntries, answersEarly })
    const child = fork(program, [text])
    Object.assign(member, { child, role: 'starting', term: 0, stopped: undefined })
    child.on('message', (message) => {
      if (member.child !== child) return
      Object.assign(member, message)
      said(id, message.stopped ? `stopped: ${message.stopped}` : `${member.role} ${member.term}`)
    })
    child.on('exit', () => {
      if (member.child === child) Object.assign(member, { child: undefined, role: 'dead' })
    })
  }

  /** Of several that believe it, the one with the latest term. */
  function leader() {
    const leaders = [...members.values()].filter(({ role }) => role === 'leader')
    return leaders.sort((one, other) => other.term - one.term)[0]?.id
  }

  function isWhole() {
    const all = [...members.values()]
    const roles = all.map(({ role }) => role).sort()
    return (
      roles.join() === 'follower,follower,leader' && new Set(all.map(({ term }) => term)).size === 1
    )
  }

  async function until(probe, what, timeoutMs = 60_000) {
    for (const endMs = performance.now() + timeoutMs; performance.now() < endMs; await pause(5)) {
      const found = probe()
      if (found) return found
    }
    throw new Error(`not in time: ${what}`)
  }

  const signal = (id, name) => members.get(id)?.child?.kill(name)
  function kill(id) {
    const { child } = members.get(id) ?? {}
    Object.assign(members.get(id), { child: undefined, role: 'dead' })
    child?.kill('SIGKILL')
    return new Promise((resolve) => (child === undefined ? resolve() : child.once('exit', resolve)))
  }

  for (const id of ids) start(id)
  return {
    ids,
    addresses: Object.values(addresses),
    members,
    wires: between,
    start,
    kill,
    signal,
    leader,
    until,
    /** All are there and agree on the term. */
    untilWhole: () => until(isWhole, 'all three together'),
    untilLed: (timeoutMs) => until(leader, 'a leader', timeoutMs),
    async close() {
      await Promise.all(ids.map(kill))
      between.close()
    },
  }
}

/** A disk of so many bytes, if this user may mount one. @returns undo, or `undefined`. */
export async function smallDisk(path, sizeBytes) {
  const run = (command, argv) =>
    new Promise((resolve) => {
      const child = spawn(command, argv, { stdio: 'ignore' })
      child.once('error', () => resolve(false))
      child.once('exit', (code) => resolve(code === 0))
    })
  const mounted = await run('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'tmpfs', path])
  if (!mounted) return undefined
  return {
    grow: (bytes) => run('mount', ['-o', `remount,size=${bytes}`, path]),
    remove: () => run('umount', ['-l', path]),
  }
}
