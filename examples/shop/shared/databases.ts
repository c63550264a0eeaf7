/**
 * Which database holds what: each service writes its own and no other.
 */
import { join } from 'node:path'
import { effectOnceTables } from 'holdfast/transactions'
import { ledgerTables } from '../account/ledger.ts'
import { intakeTables } from '../gateway/intake.ts'
import { stockTables } from '../inventory/stock.ts'
import { bookTables } from '../order/book.ts'
import { paymentTables } from '../payment/payments.ts'

const tables = {
  gateway: [intakeTables],
  order: [bookTables, effectOnceTables],
  inventory: [stockTables, effectOnceTables],
  account: [ledgerTables, effectOnceTables],
  payment: [paymentTables, effectOnceTables],
} as const

export function databaseOf(
  service: keyof typeof tables,
  dataFolder: string,
): { readonly path: string; readonly migrations: readonly string[] } {
  return { path: join(dataFolder, `${service}.db`), migrations: [tables[service].join('\n')] }
}
