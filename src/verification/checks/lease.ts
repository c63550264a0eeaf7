/**
 * What a resource behind a lease accepted, and the tokens that were granted. A paused holder may write
 * late; the fence must refuse it. So the accepted tokens of a name never go back.
 */
import { type CheckReport, findings } from './findings.ts'

export interface Granted {
  readonly name: string
  readonly token: bigint
  readonly calledAt: number
  readonly returnedAt: number
}

export interface Accepted {
  readonly name: string
  readonly token: bigint
  /** In the resource's own order. */
  readonly at: number
}

export type LeaseFinding =
  | 'token repeated'
  | 'token went back'
  | 'accepted out of order'
  | 'never granted'

/**
 * @param completeGrants were all grants recorded? Else a token that nobody was seen to get says nothing:
 * its answer may have been lost.
 */
export function checkLease(
  grants: readonly Granted[],
  accepted: readonly Accepted[],
  completeGrants = false,
): CheckReport<LeaseFinding> {
  const found = findings<LeaseFinding>()
  const granted = new Map<string, ReadonlySet<bigint>>()
  for (const [name, ofName] of grouped(grants)) {
    const byCall = [...ofName].sort((a, b) => a.calledAt - b.calledAt)
    const byReturn = [...ofName].sort((a, b) => a.returnedAt - b.returnedAt)
    const tokens = new Set<bigint>()
    let returned = 0
    let largest: bigint | undefined
    for (const { token, calledAt } of byCall) {
      for (let grant = byReturn[returned]; grant !== undefined && grant.returnedAt < calledAt; ) {
        if (largest === undefined || grant.token > largest) largest = grant.token
        returned += 1
        grant = byReturn[returned]
      }
      if (tokens.has(token)) found.add('token repeated', `"${name}" was granted ${token} twice`)
      else if (largest !== undefined && token < largest) {
        found.add('token went back', `"${name}" was granted ${token} after ${largest}`)
      }
      tokens.add(token)
    }
    granted.set(name, tokens)
  }
  for (const [name, ofName] of grouped(accepted)) {
    let largest: bigint | undefined
    for (const { token } of [...ofName].sort((a, b) => a.at - b.at)) {
      if (completeGrants && granted.get(name)?.has(token) !== true) {
        found.add('never granted', `"${name}" accepted ${token}`)
      }
      if (largest !== undefined && token < largest) {
        found.add('accepted out of order', `"${name}" accepted ${token} after ${largest}`)
      } else largest = token
    }
  }
  return found.report(grants.length + accepted.length > 0)
}

function grouped<Item extends { readonly name: string }>(
  items: readonly Item[],
): Map<string, Item[]> {
  const groups = new Map<string, Item[]>()
  for (const item of items) {
    const group = groups.get(item.name)
    if (group === undefined) groups.set(item.name, [item])
    else group.push(item)
  }
  return groups
}
