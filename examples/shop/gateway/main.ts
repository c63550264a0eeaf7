/**
 * One instance of the gateway as a process, with HTTP as its door.
 */
import { createHash } from 'node:crypto'
import { serviceProcess } from 'holdfast/cli'
import { onThisMachine } from '../shared/on-this-machine.ts'
import { httpServer } from './http.ts'
import { routes } from './routes.ts'
import { openGateway } from './start.ts'

const hash = (text: string): string => createHash('sha256').update(text).digest('hex')

await serviceProcess(async (context) => {
  const { node, api } = await openGateway({ ...(await onThisMachine(context)), hash })
  await node.start()
  const server = await httpServer(routes(api))
  context.onStop(server.close)
  return { httpAddress: server.address }
})
