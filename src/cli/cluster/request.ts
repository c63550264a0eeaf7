/**
 * The command line of `holdfast cluster`, taken apart and checked before anything is asked of anybody.
 */
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { InvalidArgumentError } from '../../errors.ts'
import { requireInteger, requireText } from '../../ports/arguments.ts'

export interface ClusterRequest {
  readonly command: 'start' | OperatorCommand
  /** What follows the command, of which there are as many as it needs. */
  readonly words: readonly string[]
  /** Of those to be asked; empty for `start`. */
  readonly members: readonly string[]
  readonly secret: readonly string[] | undefined
  readonly clusterId: string | undefined
  readonly asJson: boolean
  readonly waits: boolean
  readonly voters: readonly string[]
  readonly learners: readonly string[]
  readonly start: StartFlags
}

export interface StartFlags {
  readonly id: string
  readonly listen: string
  readonly folder: string
  readonly advertise: string | undefined
  readonly peers: Readonly<Record<string, string>> | undefined
  readonly electionMs: number
  readonly readBy: 'quorum' | 'lease'
  readonly snapshotEveryEntries: number
}

/** What each command takes beside flags. */
const words = {
  status: [],
  add: ['ID', 'HOST:PORT'],
  promote: ['ID'],
  remove: ['ID'],
  replace: [],
  transfer: ['ID'],
  snapshot: [],
  backup: ['FILE'],
  restore: ['FILE'],
} as const

export type OperatorCommand = keyof typeof words

/** @returns `undefined` if help is asked for. @throws {InvalidArgumentError} */
export function requestOf(rest: readonly string[]): ClusterRequest | undefined {
  const { values, positionals } = parseArgs({ args: [...rest], allowPositionals: true, options })
  const [command, ...more] = positionals
  if (values.help === true || command === undefined) return undefined
  if (command !== 'start' && !isOperatorCommand(command)) {
    const known = ['start', ...Object.keys(words)].join(', ')
    throw new InvalidArgumentError(`there is no "cluster ${command}"; expected one of ${known}`)
  }
  const wanted: readonly string[] = command === 'start' ? [] : words[command]
  if (more.length !== wanted.length) {
    const form = ['holdfast cluster', command, ...wanted].join(' ')
    throw new InvalidArgumentError(`expected: ${form} [options]`)
  }
  const isStart = command === 'start'
  const members = list(values.members)
  if (!isStart && members.length === 0) {
    throw new InvalidArgumentError('--members is missing: name one member or more, HOST:PORT,…')
  }
  for (const member of members) requireAddress('--members', member)
  const voters = list(values.voters)
  if (command === 'replace' && voters.length === 0) {
    throw new InvalidArgumentError('--voters is missing: name all voters there shall be')
  }
  return {
    command,
    words: more,
    members,
    secret: secretOf(values['secret-file']),
    clusterId: values['cluster-id'],
    asJson: values.json === true,
    waits: values['no-wait'] !== true,
    voters,
    learners: list(values.learners),
    start: isStart ? startFlags(values) : noStart,
  }
}

const options = {
  help: { type: 'boolean', short: 'h' },
  json: { type: 'boolean' },
  members: { type: 'string' },
  'secret-file': { type: 'string' },
  'cluster-id': { type: 'string' },
  'no-wait': { type: 'boolean' },
  voters: { type: 'string' },
  learners: { type: 'string' },
  id: { type: 'string' },
  listen: { type: 'string' },
  folder: { type: 'string' },
  advertise: { type: 'string' },
  peers: { type: 'string' },
  'election-ms': { type: 'string' },
  'read-by': { type: 'string' },
  'snapshot-every-entries': { type: 'string' },
} as const

type Values = Readonly<Partial<Record<keyof typeof options, string | boolean>>>

function isOperatorCommand(command: string): command is OperatorCommand {
  return Object.hasOwn(words, command)
}

function list(text: string | undefined): readonly string[] {
  return (text ?? '').split(',').filter((part) => part !== '')
}

export function requireAddress(subject: string, address: string): void {
  if (/^(\[[^\]]+\]|[^:\s]+):\d{1,5}$/.test(address)) return
  throw new InvalidArgumentError(`${subject} has "${address}"; expected HOST:PORT`)
}

/** From a file or the environment: what is on a command line, everybody on the machine can read. */
function secretOf(path: string | undefined): readonly string[] | undefined {
  const { HOLDFAST_CLUSTER_SECRET: variable } = process.env
  if (path === undefined) return variable ? [variable] : undefined
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new InvalidArgumentError(`--secret-file ${path} cannot be read: ${String(cause)}`)
  }
  const secrets = text.split('\n').filter((line) => line.trim() !== '')
  if (secrets.length > 0) return secrets
  throw new InvalidArgumentError(`--secret-file ${path} is empty`)
}

const noStart: StartFlags = {
  id: '',
  listen: '',
  folder: '',
  advertise: undefined,
  peers: undefined,
  electionMs: 1_000,
  readBy: 'quorum',
  snapshotEveryEntries: 100_000,
}

function startFlags(values: Values): StartFlags {
  const needed = (flag: 'id' | 'listen' | 'folder'): string => {
    const value = values[flag]
    if (typeof value !== 'string') throw new InvalidArgumentError(`--${flag} is missing`)
    requireText(`--${flag}`, value, flag === 'id' ? 64 : 1_000)
    return value
  }
  const number = (flag: keyof Values, fallback: number, max: number): number => {
    const value = values[flag] === undefined ? fallback : Number(values[flag])
    requireInteger(`--${flag}`, value, 1, max)
    return value
  }
  const { advertise, peers, 'read-by': readBy = 'quorum' } = values
  if (readBy !== 'quorum' && readBy !== 'lease') {
    throw new InvalidArgumentError(`--read-by is "${readBy}"; expected quorum or lease`)
  }
  const listen = needed('listen')
  for (const address of [listen, ...(typeof advertise === 'string' ? [advertise] : [])]) {
    requireAddress('--listen or --advertise', address)
  }
  return {
    id: needed('id'),
    listen,
    folder: needed('folder'),
    advertise: typeof advertise === 'string' ? advertise : undefined,
    peers: typeof peers === 'string' ? peersOf(peers) : undefined,
    electionMs: number('election-ms', noStart.electionMs, 600_000),
    readBy,
    snapshotEveryEntries: number('snapshot-every-entries', noStart.snapshotEveryEntries, 2 ** 40),
  }
}

function peersOf(text: string): Readonly<Record<string, string>> {
  const peers: Record<string, string> = {}
  for (const part of list(text)) {
    const at = part.indexOf('=')
    if (at < 1) {
      throw new InvalidArgumentError(`--peers has "${part}"; expected ID=HOST:PORT,ID=HOST:PORT`)
    }
    const address = part.slice(at + 1)
    requireAddress('--peers', address)
    peers[part.slice(0, at)] = address
  }
  return peers
}
