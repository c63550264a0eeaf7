/**
 * From lists to dependencies: who wrote before whom (ww), who read what whom wrote (wr), who read what
 * whom overwrote (rw). An element that no read shows came after all that the longest read shows, which is
 * why nothing is known among several such, and much about each.
 */
import type { Budget } from './budget.ts'
import { type GraphBuilder, rw, wr, ww } from './graph.ts'
import type { ListIndex, ListKey } from './list-index.ts'
import type { ListTransaction, Scalar } from './transaction.ts'
import { listText, nameText, scalarText } from './words.ts'

/** The transaction behind an element, if it may have happened. */
function writerOf(
  list: ListKey,
  element: Scalar | undefined,
  history: readonly ListTransaction[],
): number | undefined {
  const writer = element === undefined ? undefined : list.writers.get(element)
  return writer === undefined || history[writer]?.status === 'aborted' ? undefined : writer
}

export function linkLists(
  index: ListIndex,
  history: readonly ListTransaction[],
  builder: GraphBuilder,
  budget: Budget,
): void {
  for (const list of index.keys.values()) {
    budget.spend(list.order.length)
    let before: number | undefined
    list.order.forEach((element, place) => {
      const writer = writerOf(list, element, history)
      if (writer !== undefined) {
        if (before !== undefined) builder.link(before, writer, ww)
        for (const reader of list.readers[place] ?? []) builder.link(reader, writer, rw)
        for (const reader of list.readers[place + 1] ?? []) builder.link(writer, reader, wr)
      }
      before = writer
    })
    const unseen = list.unseen.map((element) => list.writers.get(element) ?? 0)
    if (before !== undefined) builder.linkAll([before], unseen, ww)
    builder.linkAll(list.readers[list.order.length] ?? [], unseen, rw)
  }
  linkStrayReads(index, history, builder)
}

/** A read that fits no version order still shows who appended its last element. */
function linkStrayReads(
  index: ListIndex,
  history: readonly ListTransaction[],
  builder: GraphBuilder,
): void {
  for (const [reader, { steps, status }] of history.entries()) {
    if (status !== 'committed') continue
    for (const step of steps) {
      const last = step.kind === 'read' ? step.value?.at(-1) : undefined
      const list = index.keys.get(step.key)
      if (last === undefined || list === undefined || list.places.has(last)) continue
      const writer = writerOf(list, last, history)
      if (writer !== undefined) builder.link(writer, reader, wr)
    }
  }
}

/** Why `source` came before `target`, or undefined if no such dependency of this kind joins them. */
export function explainLists(
  index: ListIndex,
  history: readonly ListTransaction[],
  source: number,
  target: number,
  kind: number,
): string | undefined {
  if (kind === wr) return explainRead(index, history, source, target)
  for (const step of history[target]?.steps ?? []) {
    const list = index.keys.get(step.key)
    if (step.kind !== 'append' || list === undefined) continue
    const place = list.places.get(step.value) ?? list.order.length
    const previous = list.order[place - 1]
    const words =
      kind === ww
        ? explainWrite(list, previous, source, target, step.value)
        : explainMiss(list, history, source, target, step.value, previous)
    if (words !== undefined) return words
  }
  return undefined
}

function explainWrite(
  list: ListKey,
  previous: Scalar | undefined,
  source: number,
  target: number,
  element: Scalar,
): string | undefined {
  if (previous === undefined || list.writers.get(previous) !== source) return undefined
  const [before, after, key] = [previous, element, list.key].map(scalarText)
  const what = `${nameText(target)} appended ${after} to ${key}`
  const had = `${nameText(source)} had appended`
  return list.places.has(element)
    ? `${what} right after ${had} ${before}`
    : `${what}, which no read shows: after the ${before} that ${had}`
}

function explainRead(
  index: ListIndex,
  history: readonly ListTransaction[],
  source: number,
  target: number,
): string | undefined {
  for (const step of history[target]?.steps ?? []) {
    const last = step.kind === 'read' ? step.value?.at(-1) : undefined
    if (step.kind !== 'read' || last === undefined) continue
    if (index.keys.get(step.key)?.writers.get(last) !== source) continue
    const read = `${nameText(target)} read ${scalarText(step.key)} = ${listText(step.value)}`
    return `${read}, whose ${scalarText(last)} ${nameText(source)} had appended`
  }
  return undefined
}

function explainMiss(
  list: ListKey,
  history: readonly ListTransaction[],
  source: number,
  target: number,
  element: Scalar,
  previous: Scalar | undefined,
): string | undefined {
  const read = history[source]?.steps.find(
    (step) =>
      step.kind === 'read' &&
      step.key === list.key &&
      (step.value?.at(-1) ?? undefined) === previous,
  )
  if (read?.kind !== 'read') return undefined
  const key = scalarText(list.key)
  const later = list.places.has(element) ? 'right after it' : 'after all that any read shows'
  const what = `${nameText(source)} read ${key} = ${listText(read.value)}`
  return `${what} and ${nameText(target)} appended ${scalarText(element)} ${later}`
}
