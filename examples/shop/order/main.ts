/**
 * One instance of the order service as a process.
 */
import { serviceProcess } from 'holdfast/cli'
import { onThisMachine } from '../shared/on-this-machine.ts'
import { startOrder } from './start.ts'

await serviceProcess(async (context) => {
  await startOrder(await onThisMachine(context))
  return {}
})
