/**
 * What the console knows of a cluster's members, read from the stream that its page reads.
 */
import type { RunningShop } from './running-shop.ts'

export interface RaftPart {
  readonly id: string
  readonly role: string
  readonly term: number
  readonly leader?: string
  readonly commit: number
  readonly applied: number
}

/** The members that answer, as they see themselves. */
export async function raftView({ url }: RunningShop): Promise<readonly RaftPart[]> {
  const snapshots = await firstView(url)
  return Object.values(snapshots).flatMap((published) =>
    Object.entries(published).flatMap(([name, part]) =>
      name.startsWith('raft/') ? [part as RaftPart] : [],
    ),
  )
}

/** The newest leader, once one is known. */
export async function raftLeader(shop: RunningShop): Promise<RaftPart | undefined> {
  const leaders = (await raftView(shop)).filter(({ role }) => role === 'leader')
  return [...leaders].sort((left, right) => right.term - left.term)[0]
}

type Snapshots = Readonly<Record<string, Readonly<Record<string, unknown>>>>

async function firstView(url: string): Promise<Snapshots> {
  const stop = new AbortController()
  const response = await fetch(new URL('/api/console/stream', url), { signal: stop.signal })
  const decoder = new TextDecoder()
  let text = ''
  try {
    for await (const bytes of response.body ?? []) {
      text += decoder.decode(bytes, { stream: true })
      const [, view] = /^data: (.*)\n/m.exec(text) ?? []
      if (view !== undefined) {
        return (JSON.parse(view) as { readonly snapshots: Snapshots }).snapshots
      }
    }
    return {}
  } finally {
    stop.abort()
  }
}
