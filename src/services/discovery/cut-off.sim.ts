/**
 * A runtime whose way to the store can be cut, as if the store were on the far side of a network: what
 * is asked while it is cut is refused before it leaves, and hints do not arrive.
 */
import { UnavailableError } from '../../errors.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import type { SqlFile } from '../../runtime/sql.ts'

export interface CutOffRuntime {
  readonly runtime: Runtime
  cut(isCut: boolean): void
}

export function cutOffRuntime(whole: Runtime): CutOffRuntime {
  let isCut = false
  const reach = (file: SqlFile): SqlFile => ({
    async run(batch) {
      if (isCut) throw new UnavailableError('the store is out of reach')
      return file.run(batch)
    },
    listen: (topic, wake) =>
      file.listen(topic, () => {
        if (!isCut) wake()
      }),
    close: () => file.close(),
  })
  return {
    runtime: {
      ...whole,
      sql: { open: async (options) => reach(await whole.sql.open(options)) },
    },
    cut(now) {
      isCut = now
    },
  }
}
