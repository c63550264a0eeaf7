export { isProduction } from './environment.ts'
export { type NodeRuntime, type NodeRuntimeOptions, nodeRuntime } from './node-runtime.ts'
export {
  loadSqlite,
  type SqliteLibrary,
  type SqliteLibraryName,
  sqliteLibraries,
} from './sqlite-library.ts'
