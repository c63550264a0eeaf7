/**
 * One instance of the inventory as a process.
 */
import { serviceProcess } from 'holdfast/cli'
import { onThisMachine } from '../shared/on-this-machine.ts'
import { startInventory } from './start.ts'

await serviceProcess(async (context) => {
  await startInventory(await onThisMachine(context))
  return {}
})
