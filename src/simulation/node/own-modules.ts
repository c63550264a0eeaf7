/**
 * A process starts with no modules loaded. So in a world each life of a patched process has a `require`
 * cache of its own: what it requires while it runs is new, and dies with it, as module-level state should.
 *
 * That is so for CommonJS. What was imported before the world began, and every ES module, is loaded once
 * per real process and shared by all lives.
 */
import module from 'node:module'
import type { Runtime } from '../../runtime/runtime.ts'

type Cache = Record<string, unknown>

/** `_cache` is not documented, but it is what `require.cache` shows, and tests rely on it everywhere. */
export function patchModuleCache(current: () => Runtime | undefined): void {
  const loader = module as unknown as { _cache: Cache }
  let shared = loader._cache
  const lives = new WeakMap<Runtime, Cache>()
  Object.defineProperty(loader, '_cache', {
    configurable: true,
    enumerable: true,
    get() {
      const runtime = current()
      if (runtime === undefined) return shared
      let own = lives.get(runtime)
      if (own === undefined) {
        own = Object.create(null) as Cache
        lives.set(runtime, own)
      }
      return own
    },
    set(given: Cache) {
      shared = given
    },
  })
}
