/**
 * The catalog is what a consumer believes about a service, from the registry's news. It adds three
 * doubts to the plain list:
 *
 *   - One instance, one entry: the last born counts. What is older, in birth and in revision, than
 *     anything known of the instance was removed or replaced, and stays so.
 *   - Expiry is weak evidence. If one instance expires it is probably dead; if nearly all expire at
 *     once, it is more likely that they could not reach the registry. Then the expired ones stay on the
 *     list for a while. A deregistration is somebody's word, and believed at once.
 *   - A registry whose revisions go back has lost its history (restored, replaced): old knowledge must
 *     not speak against its new entries.
 *
 * It is pure: times come in as numbers of one monotonic clock.
 */
import type { RegistryChange, RegistryEntry } from '../../ports/registry.ts'
import type { Endpoint } from '../endpoint.ts'
import { instanceOf, type Listed, readEntry, servicePrefix } from './service-entry.ts'

export interface CatalogOptions {
  readonly service: string
  /** How long expired instances are held when too few are left. 0: never. */
  readonly holdMs: number
  /** Hold when fewer than this share of those lately listed are left, 0 to 1. 0: only when none is. */
  readonly liveShareMin: number
}

export interface CatalogView {
  readonly endpoints: readonly Endpoint[]
  /** Are some of them held although the registry no longer lists them? */
  readonly isProtected: boolean
  /** When to look again, though no news came. */
  readonly recheckAtMs: number | undefined
}

export interface Catalog {
  apply(change: RegistryChange, nowMs: number): CatalogDoubt[]
  /** Starts from an older list, such as the one on disk. */
  restore(listed: readonly Listed[], revision: bigint): void
  view(nowMs: number): CatalogView
  /** What the last view showed, to restore from. */
  saved(): { readonly listed: readonly Listed[]; readonly revision: bigint }
}

/** What was found strange in the news; the names are those of events. */
export type CatalogDoubt = 'entryUnreadable' | 'resurrectionRefused' | 'registryHistoryLost'

/** The newest thing known of an instance. */
type Floor = Pick<Listed, 'born' | 'incarnation' | 'revision'>

/** Instances remembered after they are gone; the oldest are forgotten first. */
const floorsMax = 20_000

export function catalog({ service, holdMs, liveShareMin }: CatalogOptions): Catalog {
  const prefix = servicePrefix(service)
  const live = new Map<string, Listed>()
  const held = new Map<string, { readonly listed: Listed; readonly untilMs: number }>()
  const floors = new Map<string, Floor>()
  let revision = 0n
  let isProtected = false

  function remember(instance: string, { born, incarnation, revision }: Floor): void {
    floors.delete(instance)
    floors.set(instance, { born, incarnation, revision })
    if (floors.size <= floorsMax) return
    for (const oldest of floors.keys()) {
      if (live.has(oldest)) continue
      floors.delete(oldest)
      return
    }
  }

  function put(entry: RegistryEntry): CatalogDoubt | undefined {
    const listed = readEntry(prefix, entry)
    if (listed === undefined) return 'entryUnreadable'
    const { instance } = listed.endpoint
    const current = live.get(instance)
    if (current !== undefined && isOlder(listed, current)) return undefined
    const floor = floors.get(instance)
    const isKnown = floor && !isOlder(floor, listed) && listed.revision <= floor.revision
    if (isKnown && current === undefined) return 'resurrectionRefused'
    held.delete(instance)
    live.set(instance, current?.revision === listed.revision ? current : listed)
    remember(instance, listed)
    return undefined
  }

  function remove(key: string, at: bigint, isExpiry: boolean, nowMs: number): void {
    const instance = instanceOf(prefix, key)
    if (instance === undefined) return
    if (held.get(instance)?.listed.key === key && !isExpiry) held.delete(instance)
    const listed = live.get(instance)
    if (listed?.key !== key) return
    live.delete(instance)
    const latest = at > listed.revision ? at : listed.revision
    remember(instance, { ...listed, revision: latest })
    if (isExpiry && holdMs > 0) held.set(instance, { listed, untilMs: nowMs + holdMs })
  }

  /** An entry missing from a snapshot went without a word: as weak as an expiry. */
  function replace(snapshot: RegistryChange & { kind: 'snapshot' }, nowMs: number): CatalogDoubt[] {
    const doubts: CatalogDoubt[] = []
    if (snapshot.revision < revision) {
      floors.clear()
      doubts.push('registryHistoryLost')
    }
    const keys = new Set(snapshot.entries.map(({ key }) => key))
    const gone = [...live.values()].filter(({ key }) => !keys.has(key))
    for (const { key } of gone) remove(key, snapshot.revision, true, nowMs)
    // Again, because each removal left its mark.
    if (doubts.length > 0) floors.clear()
    for (const entry of snapshot.entries) doubts.push(...asList(put(entry)))
    revision = snapshot.revision
    return doubts
  }

  return {
    apply(change, nowMs) {
      if (change.kind === 'snapshot') return replace(change, nowMs)
      if (change.kind === 'compacted') return []
      revision = change.revision
      if (change.kind === 'put') return asList(put(change.entry))
      remove(change.key, change.revision, change.cause === 'expired', nowMs)
      return []
    },

    restore(listed, from) {
      revision = from
      for (const one of listed) {
        live.set(one.endpoint.instance, one)
        remember(one.endpoint.instance, one)
      }
    },

    view(nowMs) {
      let recheckAtMs: number | undefined
      for (const [instance, { untilMs }] of held) {
        if (untilMs <= nowMs) held.delete(instance)
        else recheckAtMs = Math.min(recheckAtMs ?? untilMs, untilMs)
      }
      // Once begun, protection lasts while anybody is held: the first to register again must not get
      // the load of all.
      const lately = live.size + held.size
      const tooFew = live.size === 0 || live.size < liveShareMin * lately
      isProtected = held.size > 0 && (isProtected || tooFew)
      const shown = [...live.values()]
      if (isProtected) for (const { listed } of held.values()) shown.push(listed)
      return { endpoints: shown.map(({ endpoint }) => endpoint), isProtected, recheckAtMs }
    },

    saved() {
      const shown = [...live.values()]
      if (isProtected) for (const { listed } of held.values()) shown.push(listed)
      return { listed: shown, revision }
    },
  }
}

/** By birth first: a registration that lost its session is not younger for having a new one. */
function isOlder(left: Floor, right: Floor): boolean {
  return (
    left.born < right.born || (left.born === right.born && left.incarnation < right.incarnation)
  )
}

function asList<Doubt>(doubt: Doubt | undefined): Doubt[] {
  return doubt === undefined ? [] : [doubt]
}
