export { isProduction } from './environment.ts'
export { type NodeRuntime, type NodeRuntimeOptions, nodeRuntime } from './node-runtime.ts'
export { checkSqliteFile } from './sqlite-check.ts'
export {
  loadSqlite,
  type SqliteLibrary,
  type SqliteLibraryName,
  sqliteLibraries,
} from './sqlite-library.ts'
export type { TaskFailed } from './tasks.ts'
