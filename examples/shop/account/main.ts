/**
 * One instance of the accounts as a process.
 */
import { serviceProcess } from 'holdfast/cli'
import { onThisMachine } from '../shared/on-this-machine.ts'
import { startAccount } from './start.ts'

await serviceProcess(async (context) => {
  await startAccount(await onThisMachine(context))
  return {}
})
