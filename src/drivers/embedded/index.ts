export { embeddedFile } from './driver.ts'
export {
  type EmbeddedDurability,
  type EmbeddedOptions,
  type EmbeddedStores,
  embedded,
} from './embedded.ts'
export {
  type EmbeddedDatabase,
  type EmbeddedDatabaseOptions,
  embeddedDatabase,
} from './sql-database.ts'
