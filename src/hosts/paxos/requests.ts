/**
 * Where clients are answered. A command is proposed as often as it is asked for, by whoever leads; the
 * memory of what was done (`once.ts`) makes that harmless. Questions wait until the member is sure to know
 * everything that was answered before.
 */
import type {
  ConfigurationChange,
  PaxosInput,
  PaxosOutputs,
  Refusal,
} from '../../protocols/paxos/contract.ts'
import { encode } from './codec.ts'
import type { ClientAnswer, ClientMessage, ClientRequest } from './contract.ts'

export interface ClientDesk {
  asked(message: ClientMessage, source: string): void
  /** A command was carried out here. */
  applied(answer: ClientAnswer | undefined): void
  /** Everything chosen is applied. */
  settled(out: Pick<PaxosOutputs, 'reads' | 'refused'>): void
  change(change: ConfigurationChange): Refusal | undefined
}

export interface Desk {
  post(address: string | undefined, message: ClientAnswer): void
  leaderAddress(): string | undefined
  query(question: Uint8Array): Uint8Array
  input(input: PaxosInput): void
}

/** Clients that wait, at most; the one that waits longest is forgotten, and asks again. */
const waitingMax = 10_000

export function clientDesk({ post, leaderAddress, query, input }: Desk): ClientDesk {
  const waiting = new Map<string, { readonly address: string; readonly request: ClientRequest }>()
  let changeRefused: Refusal | undefined
  const changeId = 'a change of members'

  function answer(message: ClientAnswer): void {
    const asked = waiting.get(message.id)
    waiting.delete(message.id)
    if (asked !== undefined) post(asked.address, message)
  }

  return {
    asked(request, address) {
      const { id, kind } = request
      if (kind !== 'open' && kind !== 'do' && kind !== 'ask') return
      waiting.delete(id)
      waiting.set(id, { address, request })
      const [first] = waiting.keys()
      if (waiting.size > waitingMax && first !== undefined) waiting.delete(first)
      if (kind === 'ask') input({ kind: 'read', id })
      else input({ kind: 'propose', id, data: encode(request) })
    },
    applied(message) {
      if (message !== undefined) answer(message)
    },
    settled({ reads, refused }) {
      for (const { id } of reads) {
        const request = waiting.get(id)?.request
        if (request?.kind !== 'ask') continue
        answer({ kind: 'done', id, answer: query(request.question) })
      }
      for (const { id, reason } of refused) {
        if (id === changeId) changeRefused = reason
        else answer({ kind: 'elsewhere', id, address: leaderAddress() })
      }
    },
    change(change) {
      changeRefused = undefined
      input({ kind: 'change', id: changeId, change })
      return changeRefused
    },
  }
}
