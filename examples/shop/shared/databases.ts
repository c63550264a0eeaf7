/**
 * Which database holds what: each service writes its own and no other.
 */
import { effectOnceTables } from 'holdfast/transactions'
import { ledgerTables } from '../account/ledger.ts'
import { intakeTables } from '../gateway/intake.ts'
import { stockTables } from '../inventory/stock.ts'
import { bookTables, receiptTables } from '../order/book.ts'
import { paymentTables } from '../payment/payments.ts'

/** One script per release that changed something: never edited, only added to. */
const migrations = {
  gateway: [intakeTables],
  order: [[bookTables, effectOnceTables].join('\n'), receiptTables],
  inventory: [[stockTables, effectOnceTables].join('\n')],
  account: [[ledgerTables, effectOnceTables].join('\n')],
  payment: [[paymentTables, effectOnceTables].join('\n')],
} as const

export function databaseOf(
  service: keyof typeof migrations,
  dataFolder: string,
): { readonly path: string; readonly migrations: readonly string[] } {
  return { path: `${dataFolder}/${service}.db`, migrations: migrations[service] }
}
