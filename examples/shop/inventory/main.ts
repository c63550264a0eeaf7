/**
 * One instance of the inventory as a process.
 */
import process from 'node:process'
import { serviceProcess } from 'holdfast/cli'
import { startInventory } from './start.ts'

await serviceProcess(async (context) => {
  await startInventory({ ...context, environment: process.env })
  return {}
})
