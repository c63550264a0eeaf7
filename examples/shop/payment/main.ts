/**
 * One instance of the payment service as a process.
 */
import process from 'node:process'
import { serviceProcess } from 'holdfast/cli'
import { startPayment } from './start.ts'

await serviceProcess(async (context) => {
  await startPayment({ ...context, environment: process.env })
  return {}
})
