/**
 * The globals of time and chance, answered from one simulated process.
 */
import type { Timer } from '../../runtime/clock.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { ownFetch } from './own-fetch.ts'

export type Callable = (...parameters: unknown[]) => unknown

const answers = new WeakMap<Runtime, Readonly<Record<string, Callable>>>()

/** By label, as the tripwires name them. */
export function ownAnswers(runtime: Runtime): Readonly<Record<string, Callable>> {
  let own = answers.get(runtime)
  if (own === undefined) {
    own = { ...chanceOf(runtime), ...timeOf(runtime), 'fetch()': ownFetch as Callable }
    answers.set(runtime, own)
  }
  return own
}

/** What Node calls a `Timeout`: as much of it as programs use. */
interface OwnTimeout {
  ref(): OwnTimeout
  unref(): OwnTimeout
  hasRef(): boolean
  refresh(): OwnTimeout
  close(): OwnTimeout
  [Symbol.toPrimitive](): number
}

function timeOf(runtime: Runtime): Readonly<Record<string, Callable>> {
  const { clock } = runtime
  const byNumber = new Map<number, OwnTimeout>()
  let count = 0

  function timeout(callback: () => void, delayMs: unknown, repeats: boolean): OwnTimeout {
    const number = ++count
    const ms = Math.max(1, Number(delayMs) || 1)
    let timer: Timer
    const start = (): void => {
      timer = runtime.timers.schedule(ms, () => {
        if (repeats) start()
        else byNumber.delete(number)
        callback()
      })
    }
    const self: OwnTimeout = {
      ref: () => self,
      unref: () => self,
      hasRef: () => true,
      refresh() {
        timer.cancel()
        start()
        return self
      },
      close() {
        byNumber.delete(number)
        timer.cancel()
        return self
      },
      [Symbol.toPrimitive]: () => number,
    }
    start()
    byNumber.set(number, self)
    return self
  }

  const after = (repeats: boolean): Callable => {
    return (callback, delayMs, ...parameters) =>
      timeout(() => (callback as Callable)(...parameters), delayMs, repeats)
  }
  const soon: Callable = (callback, ...parameters) =>
    timeout(() => (callback as Callable)(...parameters), 0, false)
  return {
    'Date.now()': () => clock.wallMs(),
    'performance.now()': () => clock.monotonicMs(),
    'process.hrtime.bigint()': () => BigInt(Math.round(clock.monotonicMs() * 1_000_000)),
    'setTimeout()': after(false),
    'setInterval()': after(true),
    'setImmediate()': soon,
    'clearTimeout()'(given) {
      const known = typeof given === 'number' || typeof given === 'string'
      const found = known ? byNumber.get(Number(given)) : given
      ;(found as OwnTimeout | null | undefined)?.close?.()
    },
    'AbortSignal.timeout()'(delayMs) {
      const stop = new AbortController()
      const reason = new DOMException('The operation was aborted due to timeout', 'TimeoutError')
      timeout(() => stop.abort(reason), delayMs, false)
      return stop.signal
    },
    'timersPromises.setTimeout()': (delayMs, value, options) =>
      promised(timeout, delayMs, value, options),
    'timersPromises.setImmediate()': (value, options) => promised(timeout, 0, value, options),
  }
}

function promised(
  timeout: (callback: () => void, delayMs: unknown, repeats: boolean) => OwnTimeout,
  delayMs: unknown,
  value: unknown,
  options: unknown,
): Promise<unknown> {
  const signal = (options as { readonly signal?: AbortSignal } | undefined)?.signal
  return new Promise((resolve, reject) => {
    const aborted = (): void => {
      timer.close()
      const error = new Error('The operation was aborted', { cause: signal?.reason })
      reject(Object.assign(error, { name: 'AbortError', code: 'ABORT_ERR' }))
    }
    const timer = timeout(
      () => {
        signal?.removeEventListener('abort', aborted)
        resolve(value)
      },
      delayMs,
      false,
    )
    if (signal?.aborted) aborted()
    else signal?.addEventListener('abort', aborted, { once: true })
  })
}

function chanceOf({ random }: Runtime): Readonly<Record<string, Callable>> {
  const fill: Callable = (view) => {
    const { buffer, byteOffset, byteLength } = view as Uint8Array
    new Uint8Array(buffer, byteOffset, byteLength).set(random.bytes('crypto', byteLength))
    return view
  }
  const fillPart = (view: Uint8Array, offset: unknown, size: unknown): Uint8Array => {
    const from = typeof offset === 'number' ? offset : 0
    const length = typeof size === 'number' ? size : view.byteLength - from
    fill(new Uint8Array(view.buffer, view.byteOffset + from, length))
    return view
  }
  return {
    'crypto.randomFillSync()': (view, offset, size) => fillPart(view as Uint8Array, offset, size),
    'crypto.randomFill()'(view, ...rest) {
      const filled = fillPart(view as Uint8Array, rest[0], rest[1])
      queueMicrotask(() => void (rest.at(-1) as Callable)(null, filled))
      return undefined
    },
    'Math.random()': () => random.fraction('Math.random'),
    'crypto.getRandomValues()': fill,
    'crypto.randomUUID()': () => uuid(random.bytes('crypto', 16)),
    'crypto.randomBytes()'(size, callback) {
      const bytes = Buffer.from(random.bytes('crypto', Number(size)))
      if (typeof callback !== 'function') return bytes
      queueMicrotask(() => callback(null, bytes))
      return undefined
    },
    'crypto.randomInt()'(first, second, third) {
      const [min, max] = typeof second === 'number' ? [Number(first), second] : [0, Number(first)]
      const value = min + Math.floor(random.fraction('crypto') * (max - min))
      const callback = typeof second === 'function' ? second : third
      if (typeof callback !== 'function') return value
      queueMicrotask(() => callback(null, value))
      return undefined
    },
  }
}

/** Version 4, as RFC 9562 has it. */
function uuid(bytes: Uint8Array): string {
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  const hex = Buffer.from(bytes).toString('hex')
  return [
    [0, 8],
    [8, 12],
    [12, 16],
    [16, 20],
    [20, 32],
  ]
    .map(([start, end]) => hex.slice(start, end))
    .join('-')
}
