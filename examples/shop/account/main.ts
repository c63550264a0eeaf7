/**
 * One instance of the accounts as a process.
 */
import process from 'node:process'
import { serviceProcess } from 'holdfast/cli'
import { startAccount } from './start.ts'

await serviceProcess(async (context) => {
  await startAccount({ ...context, environment: process.env })
  return {}
})
