/**
 * From registers to dependencies. A read names the writer of what it saw (wr); versions that follow each
 * other name who overwrote whom (ww) and who overwrote what was read (rw).
 */
import { type GraphBuilder, rw, wr, ww } from './graph.ts'
import { externals, type Register, type RegisterIndex, type Version } from './register-index.ts'
import type { RegisterTransaction, Scalar } from './transaction.ts'
import { nameText, scalarText } from './words.ts'

const writerOf = (register: Register, version: Version): number | undefined =>
  version === null ? undefined : register.writers.get(version)

export function linkRegisters(index: RegisterIndex, builder: GraphBuilder): void {
  for (const register of index.registers.values()) {
    for (const [version, readers] of register.readers) {
      const writer = writerOf(register, version)
      if (writer === undefined) continue
      for (const reader of readers) builder.link(writer, reader, wr)
    }
    if (index.assumptions.initialState !== false) {
      const writers = [...register.writers.values()]
      builder.linkAll(register.readers.get(null) ?? [], writers, rw)
    }
    const next = new Map<Version, number[]>()
    for (const [later, list] of register.before) {
      const target = writerOf(register, later)
      if (target === undefined) continue
      for (const { version } of list) {
        const targets = next.get(version) ?? []
        next.set(version, targets)
        targets.push(target)
      }
    }
    for (const [version, targets] of next) {
      const writer = writerOf(register, version)
      if (writer !== undefined) builder.linkAll([writer], targets, ww)
      builder.linkAll(register.readers.get(version) ?? [], targets, rw)
    }
  }
}

/** Why `source` came before `target`, or undefined if no such dependency of this kind joins them. */
export function explainRegisters(
  index: RegisterIndex,
  history: readonly RegisterTransaction[],
  source: number,
  target: number,
  kind: number,
): string | undefined {
  const to = history[target]
  if (to === undefined) return undefined
  for (const [key, { read, written }] of externals(to)) {
    const register = index.registers.get(key)
    if (register === undefined) continue
    if (kind === wr && read !== undefined && writerOf(register, read) === source) {
      const value = scalarText(read)
      return `${nameText(target)} read ${scalarText(key)} = ${value}, which ${nameText(source)} wrote`
    }
    if (written === undefined || register.writers.get(written) !== target) continue
    const words =
      kind === ww
        ? explainWrite(register, written, source, target)
        : kind === rw
          ? explainMiss(index, register, written, source, target)
          : undefined
    if (words !== undefined) return words
  }
  return undefined
}

function explainWrite(
  register: Register,
  written: Scalar,
  source: number,
  target: number,
): string | undefined {
  const before = register.before.get(written)?.find(({ version }) => {
    return writerOf(register, version) === source
  })
  if (before === undefined) return undefined
  const [key, old, value] = [register.key, before.version, written].map(scalarText)
  const how = `${nameText(target)} wrote ${key} = ${value} over ${old}`
  return `${how}, which ${nameText(source)} wrote (${before.because})`
}

function explainMiss(
  index: RegisterIndex,
  register: Register,
  written: Scalar,
  source: number,
  target: number,
): string | undefined {
  const [key, value] = [register.key, written].map(scalarText)
  const wrote = `${nameText(target)} wrote ${key} = ${value}`
  const readBy = (version: Version): boolean =>
    register.readers.get(version)?.includes(source) === true
  if (index.assumptions.initialState !== false && readBy(null)) {
    return `${nameText(source)} read ${key} as nobody had written it, and ${wrote}`
  }
  const before = register.before.get(written)?.find(({ version }) => readBy(version))
  if (before === undefined) return undefined
  const old = scalarText(before.version)
  return `${nameText(source)} read ${key} = ${old}, and ${wrote} over it (${before.because})`
}
