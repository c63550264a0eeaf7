/**
 * What a list shows without any cycle: elements that nobody appended, that were taken back, that appear
 * twice or in two orders, reads of half a transaction, and updates built on what somebody else was
 * changing.
 */
import type { Budget } from './budget.ts'
import type { Findings } from './findings.ts'
import type { ListIndex, ListKey } from './list-index.ts'
import type { ListTransaction, ReadListStep, Scalar } from './transaction.ts'
import { listText, nameText, scalarText } from './words.ts'

export function findListAnomalies(
  index: ListIndex,
  history: readonly ListTransaction[],
  findings: Findings,
  budget: Budget,
): void {
  const sound = new Map([...index.keys.values()].map((list) => [list, soundStart(list, history)]))
  for (const [reader, transaction] of history.entries()) {
    if (transaction.status !== 'committed') continue
    for (const step of transaction.steps) {
      const list = index.keys.get(step.key)
      if (step.kind === 'read' && step.value !== null && list !== undefined) {
        if (isSound(list, step.value, sound.get(list) ?? 0, budget)) continue
        checkRead(list, reader, { ...step, value: step.value }, history, findings, budget)
      }
    }
  }
  for (const list of index.keys.values()) findDirtyUpdates(list, history, findings)
}

/** How many elements of the longest read have a writer that may have happened, up to the first other. */
function soundStart(list: ListKey, history: readonly ListTransaction[]): number {
  const place = list.order.findIndex((element) => {
    const writer = list.writers.get(element)
    return writer === undefined || history[writer]?.status === 'aborted'
  })
  return place < 0 ? list.order.length : place
}

/** Nearly every read is the start of the longest one: then what holds of that holds of it. */
function isSound(
  list: ListKey,
  value: readonly Scalar[],
  soundLength: number,
  budget: Budget,
): boolean {
  budget.spend(value.length)
  if (value.length > soundLength) return false
  for (let place = 0; place < value.length; place++) {
    if (value[place] !== list.order[place]) return false
  }
  const last = value.at(-1)
  return last === undefined || !list.intermediate.has(last)
}

type Read = ReadListStep & { readonly value: readonly Scalar[] }

function checkRead(
  list: ListKey,
  reader: number,
  read: Read,
  history: readonly ListTransaction[],
  findings: Findings,
  budget: Budget,
): void {
  budget.spend(read.value.length)
  const what = `${nameText(reader)} read ${scalarText(list.key)} = ${listText(read.value)}`
  checkOrder(list, reader, read, what, findings)
  for (const element of read.value) {
    const writer = list.writers.get(element)
    const text = scalarText(element)
    if (writer === undefined) {
      const words = `${what}, but no transaction of the history appended ${text}`
      findings.add({ name: 'garbage-read', transactions: [reader], words })
      break
    }
    if (history[writer]?.status === 'aborted') {
      const words = `${what}, but ${nameText(writer)}, which appended ${text}, had aborted`
      findings.add({ name: 'G1a', transactions: [reader, writer], words })
      break
    }
  }
  const last = read.value.at(-1)
  if (last === undefined || !list.intermediate.has(last)) return
  const writer = list.writers.get(last)
  if (writer === undefined || writer === reader) return
  const words = `${what}, which shows half of ${nameText(writer)}: it appended more after ${scalarText(last)}`
  findings.add({ name: 'G1b', transactions: [reader, writer], words })
}

function checkOrder(
  list: ListKey,
  reader: number,
  read: Read,
  what: string,
  findings: Findings,
): void {
  const stray = read.value.findIndex((element, place) => list.order[place] !== element)
  if (stray < 0) return
  list.consistent = false
  const met = new Set<Scalar>()
  const repeated = read.value.find((element) => met.size === met.add(element).size)
  if (repeated !== undefined) {
    const words = `${what}, in which ${scalarText(repeated)} is more than once`
    findings.add({ name: 'duplicate-elements', transactions: [reader], words })
    return
  }
  const words = `${what}, another read saw ${listText(list.order)}: no one order of appends gives both`
  findings.add({ name: 'incompatible-order', transactions: [reader], words })
}

/** An aborted element with a committed one built on top of it. */
function findDirtyUpdates(
  list: ListKey,
  history: readonly ListTransaction[],
  findings: Findings,
): void {
  let aborted: { readonly writer: number; readonly element: Scalar } | undefined
  for (const element of list.order) {
    const writer = list.writers.get(element)
    const status = writer === undefined ? undefined : history[writer]?.status
    if (writer !== undefined && status === 'aborted') aborted ??= { writer, element }
    if (writer === undefined || status !== 'committed') continue
    if (aborted !== undefined) {
      const [lost, kept, key] = [aborted.element, element, list.key].map(scalarText)
      const words =
        `${nameText(writer)} committed ${kept} on top of the ${lost} in ${key} ` +
        `that ${nameText(aborted.writer)} had aborted`
      findings.add({ name: 'dirty-update', transactions: [aborted.writer, writer], words })
    }
    aborted = undefined
  }
}
