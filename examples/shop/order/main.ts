/**
 * One instance of the order service as a process.
 */
import process from 'node:process'
import { serviceProcess } from 'holdfast/cli'
import { startOrder } from './start.ts'

await serviceProcess(async (context) => {
  await startOrder({ ...context, environment: process.env })
  return {}
})
