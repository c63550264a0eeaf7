/**
 * Which file functions lead where, while a patched process runs: promises and callbacks to the simulated
 * disk, synchronous reads to the real files of the program, everything else to a refusal by name.
 */
import fs from 'node:fs'
import type { Runtime } from '../../runtime/runtime.ts'
import { RuntimeBypassedError } from '../bypassed.ts'
import { isOfProgram, ownFiles } from './own-files.ts'
import type { Callable } from './own-globals.ts'

const syncReads: ReadonlySet<string> = new Set([
  'accessSync',
  'existsSync',
  'lstatSync',
  'openSync',
  'readFileSync',
  'readSync',
  'readdirSync',
  'readlinkSync',
  'realpathSync',
  'statSync',
])
/** They are asked about nothing, or about standard output. */
const harmless: ReadonlySet<string> = new Set(['_toUnixTimestamp', 'closeSync', 'fstatSync'])

const files = new WeakMap<Runtime, Readonly<Record<string, unknown>>>()
function filesOf(runtime: Runtime): Readonly<Record<string, unknown>> {
  let own = files.get(runtime)
  if (own === undefined) {
    own = ownFiles(runtime)
    files.set(runtime, own)
  }
  return own
}

export function patchFiles(current: () => Runtime | undefined): void {
  const { promises } = fs
  for (const [owner, callbacks] of [
    [promises, false],
    [fs, true],
  ] as const) {
    for (const name of Object.keys(owner)) {
      const real: unknown = Reflect.get(owner, name)
      if (typeof real !== 'function' || !/^[a-z]/.test(name) || harmless.has(name)) continue
      const routed = function (this: unknown, ...parameters: unknown[]): unknown {
        const runtime = current()
        if (runtime === undefined || mayPass(name, parameters)) {
          return Reflect.apply(real, this, parameters)
        }
        const own = filesOf(runtime)[name] as Callable | undefined
        if (own === undefined || name.endsWith('Sync')) return refuse(name)
        if (!callbacks) return own(...parameters)
        return withCallback(own, parameters, name)
      }
      Object.defineProperties(routed, Object.getOwnPropertyDescriptors(real))
      Reflect.set(owner, name, routed)
    }
  }
}

function mayPass(name: string, [first]: readonly unknown[]): boolean {
  if (first === 1 || first === 2) return true // what the program prints
  return syncReads.has(name) && ((typeof first !== 'number' && isOfProgram(first)) || isNode())
}

/** Node itself loads modules from wherever they are. */
function isNode(): boolean {
  // Below the message: this function, `mayPass`, the routed one, and whoever called that.
  const caller = (new Error('who asks?').stack ?? '').split('\n')[4] ?? ''
  return /[\s(]node:/.test(caller)
}

function withCallback(own: Callable, parameters: readonly unknown[], name: string): void {
  const callback = parameters.at(-1)
  if (typeof callback !== 'function' || name === 'open') refuse(name)
  const answer = own(...parameters.slice(0, -1)) as Promise<unknown>
  answer.then(
    (value) => process.nextTick(callback as Callable, null, value),
    (error: unknown) => process.nextTick(callback as Callable, error),
  )
}

function refuse(name: string): never {
  throw new RuntimeBypassedError(
    `fs.${name}() was called in a simulated world: use node:fs/promises, or runtime.disk`,
  )
}
