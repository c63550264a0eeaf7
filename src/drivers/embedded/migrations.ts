/**
 * The tables of the embedded file, as scripts in the order in which they came. The number of scripts
 * applied is the format version of everything stored in the file; a process with fewer scripts refuses
 * to open it. Never edit a released script: append.
 */
import { leaseTables } from './lease-statements.ts'
import { recordTables } from './record-tables.ts'
import { registryTables } from './registry-statements.ts'
import { workTables } from './work-tables.ts'

export const embeddedMigrations: readonly string[] = [
  leaseTables + registryTables + recordTables + workTables,
]
