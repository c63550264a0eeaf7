/**
 * The user's own data in a file of their own, through the same door as everything embedded: batches
 * that are undone unless each statement met the rows it expects.
 */
import { requireText } from '../../ports/arguments.ts'
import type { SqlDatabase } from '../../ports/sql-database.ts'
import type { Runtime } from '../../runtime/runtime.ts'

export interface EmbeddedDatabaseOptions {
  /** The file; not the one that `embedded` uses. Created if absent, its folder must exist. */
  readonly path: string
  /** SQL scripts, applied in order, each once. Never edit one that was released; append. */
  readonly migrations: readonly string[]
}

/** A database that is also disposable. Closing finishes what was sent. */
export interface EmbeddedDatabase extends SqlDatabase {
  [Symbol.asyncDispose](): Promise<void>
}

/** @throws as `SqlEngine.open` does. */
export async function embeddedDatabase(
  runtime: Runtime,
  { path, migrations }: EmbeddedDatabaseOptions,
): Promise<EmbeddedDatabase> {
  requireText('path', path, 4_096)
  const file = await runtime.sql.open({ path, migrations })
  const close = (): Promise<void> => file.close()
  return {
    dialect: 'sqlite',
    run: (batch) => file.run(batch),
    listen: (topic, wake) => file.listen(topic, wake),
    close,
    [Symbol.asyncDispose]: close,
  }
}
