/**
 * The program of the shortest trial there is: each of several processes takes a lock, writes a value and
 * reads it back. Whoever holds the lock need not ask the store what it says: he wrote it himself. That is
 * right only as long as he does hold it, and a process that was stopped for long enough does not.
 */
import { lock } from '../coordination/index.ts'
import { UnavailableError } from '../errors.ts'
import type { NodeRuntime } from '../simulation/world.ts'
import type { RegisterInput } from '../verification/index.ts'
import type { EmbeddedEngine } from './engines/embedded-engine.ts'

export interface UnderLockOptions {
  /** Plants the bug: reads its own copy without asking whether it still holds the lock. */
  readonly careless?: boolean
}

const [space, key] = ['register', 'value']
const ttlMs = 3_000
const rounds = 6

export async function updateUnderLock(
  runtime: NodeRuntime,
  store: EmbeddedEngine,
  { careless = false }: UnderLockOptions = {},
): Promise<void> {
  const { leases, records } = store.connect(runtime)
  const { history, timers, identity } = runtime

  for (let round = 0; round < rounds; round++) {
    const held = await lock(runtime, leases, 'register', { ttlMs })
    const known = await records.get(space, key)
    let version = known?.version ?? ('absent' as const)
    const value = `${identity.machine}.${round}`

    await history.record(write(value), async () => {
      // The version is the fence: whoever was overtaken is refused.
      const written = await records.put({ space, key, value, expected: version })
      if (written === undefined) throw new UnavailableError('somebody else wrote meanwhile')
      version = written
      return null
    })
    for (let reads = 0; reads < 3; reads++) {
      await new Promise<void>((done) => timers.schedule(300, done))
      await history.record(read, async () => {
        if (!careless && !held.isHeld()) return (await records.get(space, key))?.value ?? null
        return value
      })
    }
    await held.release()
  }
}

const read: RegisterInput = { type: 'read' }
const write = (value: string): RegisterInput => ({ type: 'write', value })
