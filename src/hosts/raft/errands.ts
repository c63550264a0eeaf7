/**
 * What an operator asks of the leader: a change of members, a handover. Each is known by an id until the
 * machine says how it ended.
 */
import {
  CancelledError,
  type HoldfastError,
  InvalidArgumentError,
  OutcomeUnknownError,
  UnavailableError,
} from '../../errors.ts'
import type { Refusal } from '../../protocols/raft/contract.ts'
import type { Runtime } from '../../runtime/runtime.ts'
import type { WaitOptions } from './contract.ts'
import { type Waiting, waiting } from './waiting.ts'

export type ErrandKind = 'change' | 'transfer'

export interface Errands {
  /** @returns the id under which the machine is asked, and what to wait for. */
  begin(
    kind: ErrandKind,
    options: WaitOptions,
  ): { readonly id: string; readonly end: Promise<void> }
  refused(id: string, reason: Refusal): void
  ended(id: string, ok: boolean): void
  end(reason: string): void
}

export function errands(runtime: Runtime): Errands {
  const open = new Map<string, { readonly kind: ErrandKind; readonly wait: Waiting<void> }>()
  let count = 0

  /** A change that was asked for may come about later; a handover that did not happen did not. */
  function doubt(kind: ErrandKind, text: string): HoldfastError {
    return kind === 'change'
      ? new OutcomeUnknownError(`${text}; the change may be made, now or later`)
      : new UnavailableError(text)
  }

  function refusal(kind: ErrandKind, reason: Refusal): HoldfastError {
    const text = `the ${kind} was refused: ${reason}`
    if (reason === 'lost') return doubt(kind, text)
    // Asking again would be in vain: it does not fit those who are members now.
    if (reason === 'invalid-change') return new InvalidArgumentError(text, { details: { reason } })
    return new UnavailableError(text, { details: { reason } })
  }

  return {
    begin(kind, options) {
      if (options.signal?.aborted) throw new CancelledError('the wait was aborted before it began')
      count += 1
      const id = `errand-${count}`
      const wait = waiting<void>(
        runtime,
        options,
        (why) => doubt(kind, why === 'timeout' ? 'the time is up' : 'the wait was aborted'),
        () => open.delete(id),
      )
      open.set(id, { kind, wait })
      return { id, end: wait.promise }
    },
    refused(id, reason) {
      const errand = open.get(id)
      if (errand === undefined) return
      errand.wait.reject(refusal(errand.kind, reason))
    },
    ended(id, ok) {
      const errand = open.get(id)
      if (errand === undefined) return
      if (ok) errand.wait.resolve()
      else errand.wait.reject(doubt(errand.kind, `the ${errand.kind} did not come about`))
    },
    end(reason) {
      for (const { kind, wait } of [...open.values()]) wait.reject(doubt(kind, reason))
    },
  }
}
