/**
 * One member of the shop's cluster as a process.
 */
import process from 'node:process'
import { serviceProcess } from 'holdfast/cli'
import { clusterMember } from 'holdfast/drivers/cluster'
import { nodeRuntime } from 'holdfast/runtime/node'
import { clusterPlan } from './cluster-plan.ts'

await serviceProcess(async ({ instance, dataFolder, observer, onStop }) => {
  const { members, secret } = await clusterPlan(dataFolder)
  const runtime = nodeRuntime({ process: instance, observer })
  onStop(() => runtime.close())
  const member = await clusterMember(runtime, {
    id: instance,
    listen: members[instance] ?? '',
    peers: members,
    folder: `${dataFolder}/cluster/${instance}`,
    secret,
    observer,
  })
  onStop(() => member.close())
  void member.stopped.then((reason) => {
    if (reason.kind === 'closed') return
    // The supervisor starts it again, and what is on the disk decides.
    process.stderr.write(`this member stopped: ${JSON.stringify(reason)}\n`)
    process.exit(1)
  })
  return {}
})
