/**
 * One instance of the payment service as a process.
 */
import { serviceProcess } from 'holdfast/cli'
import { onThisMachine } from '../shared/on-this-machine.ts'
import { startPayment } from './start.ts'

await serviceProcess(async (context) => {
  await startPayment(await onThisMachine(context))
  return {}
})
