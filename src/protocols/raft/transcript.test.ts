/**
 * The figures of the paper and the thesis, and what went wrong elsewhere, as transcripts under
 * `transcripts/`. After a change that is meant: HOLDFAST_REWRITE=1 writes them anew, and the difference is
 * the review.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { env } from 'node:process'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { Broken } from './group.sim.ts'
import { planted } from './planted.sim.ts'
import { retold } from './transcript.sim.ts'

const folder = fileURLToPath(new URL('./transcripts/', import.meta.url))
const tell = (name: string): string => readFileSync(`${folder}${name}`, 'utf8')

for (const name of readdirSync(folder).sort()) {
  const [title = name] = tell(name).split('\n')
  it(`${title.replace(/^# /, '')} (${name})`, () => {
    const text = tell(name)
    const now = retold(text)
    if (env.HOLDFAST_REWRITE !== undefined) writeFileSync(`${folder}${name}`, now)
    else expect(now).toBe(text)
  })
}

const directed = [
  ['a lease is counted from the reply', 'lease-from-sending.txt', /Linearizable Reads/],
  ['copies of an earlier term', 'figure-8.txt', /Leader Completeness/],
  ['a read is answered without asking', 'stale-leader.txt', /Linearizable Reads/],
  ['a new leader answers reads', 'new-leader-reads.txt', /Linearizable Reads/],
] as const

for (const [bug, name, message] of directed) {
  it(`the same scenario shows the bug when it is planted: ${bug} (${name})`, () => {
    const core = planted.find((one) => one.bug.startsWith(bug))?.core
    expect(core).toBeDefined()
    let broken: unknown
    try {
      retold(tell(name), core)
    } catch (error) {
      broken = error
    }
    expect(broken).toBeInstanceOf(Broken)
    expect(String(broken)).toMatch(message)
  })
}
