/**
 * The client of a broker: all it claims comes on one channel, and is good as long as that channel is. When
 * the connection breaks, the broker may give it to others at once, whatever time was asked for.
 */
import type { Link } from '../../drivers/cluster/link/link.ts'
import { isHoldfastError } from '../../errors.ts'
import type { WorkCapabilities, WorkStore } from '../../ports/work-store.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import { remoteWork, type ServedDelivery } from './remote-work.ts'

export interface BrokerClient extends WorkStore {
  /** Gives back what is in hand. */
  stop(): void
}

interface Channel {
  readonly id: Promise<string>
  close(): void
}

export function brokerClient(
  runtime: Runtime,
  link: Link,
  options: { readonly capabilities: WorkCapabilities; readonly beatMs: number },
): BrokerClient {
  const { capabilities, beatMs } = options
  let current: Channel | undefined

  function open(): Channel {
    let stop = (): void => {}
    let open = true
    const close = (): void => {
      open = false
      stop()
      if (current === channel) current = undefined
    }
    const id = new Promise<string>((resolve, reject) => {
      stop = link.follow('work.channel', [], {
        news: (news) => resolve(String(news)),
        over(reason) {
          reject(reason)
          close()
        },
      })
    })
    const channel: Channel = { id, close }

    async function beat(): Promise<void> {
      try {
        if (open && !(await link.call<boolean>('work.heartbeat', await id))) return close()
      } catch (error) {
        // A channel that is lost says so by itself.
        if (!isHoldfastError(error)) throw error
      }
      if (!open) return
      const again = (): void => runtime.tasks.spawn('heartbeat of a channel', beat)
      runtime.timers.schedule(beatMs, again, { background: true })
    }
    runtime.tasks.spawn('heartbeat of a channel', beat)
    return channel
  }

  return {
    ...remoteWork(runtime, link, capabilities),
    async claim(queue, request) {
      current ??= open()
      const channel = current
      try {
        const id = await channel.id
        const askedMs = runtime.clock.monotonicMs()
        const served = await link.call<readonly ServedDelivery[]>('work.claim', queue, request, id)
        return served.map(({ validForMs, ...delivery }) => ({
          ...delivery,
          validUntilMs: askedMs + validForMs,
        }))
      } catch (error) {
        // What was handed out unheard goes back with the channel.
        if (!isHoldfastError(error) || error.outcome !== 'invalid') channel.close()
        throw error
      }
    },
    stop: () => current?.close(),
  }
}
