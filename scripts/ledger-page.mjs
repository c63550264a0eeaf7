/**
 * The page about the ledger: what was run for the last commit, and in one line what was run before.
 */
import { readFileSync } from 'node:fs'

/** Sections in order, each with its stretches. */
export function sectionsIn(path) {
  const sections = []
  for (const line of readFileSync(path, 'utf8').split('\n').filter(Boolean)) {
    const entry = JSON.parse(line)
    if (entry.section !== undefined) sections.push({ ...entry.section, stretches: [] })
    else sections.at(-1)?.stretches.push(entry)
  }
  return sections
}

function sumsOf(stretches) {
  const sums = {
    seeds: 0,
    counted: 0,
    events: 0,
    virtualMs: 0,
    elapsedMs: 0,
    struck: {},
    failure: undefined,
  }
  for (const stretch of stretches) {
    for (const name of ['seeds', 'counted', 'events', 'virtualMs', 'elapsedMs']) {
      sums[name] += stretch[name]
    }
    for (const [kind, times] of Object.entries(stretch.struck)) {
      sums.struck[kind] = (sums.struck[kind] ?? 0) + times
    }
    sums.failure ??= stretch.failure
  }
  return sums
}

const number = (value) => Math.round(value).toLocaleString('en')
const total = (counts) => Object.values(counts).reduce((sum, times) => sum + times, 0)

function row(name, { seeds, counted, events, virtualMs, elapsedMs, struck, failure }) {
  const cells = [
    name,
    number(seeds),
    number(counted),
    number(events),
    (virtualMs / 3_600_000).toFixed(1),
    number(total(struck)),
    (seeds / Math.max(0.001, elapsedMs / 1_000)).toFixed(1),
    failure === undefined ? 'none' : `seed ${failure.seed}: ${failure.name}`,
  ]
  return `| ${cells.join(' | ')} |`
}

export function ledgerPage(path) {
  const sections = sectionsIn(path)
  const last = sections.at(-1)
  const names = [...new Set(last.stretches.map(({ scenario }) => scenario))].sort()
  const kinds = Object.entries(sumsOf(last.stretches).struck).sort(
    ([, one], [, other]) => other - one,
  )
  const earlier = sections.slice(0, -1).map(({ commit, stretches }) => {
    const { counted, failure } = sumsOf(stretches)
    const end = failure === undefined ? 'none failed' : `failed: ${failure.name}`
    return `- \`${commit.slice(0, 12)}\`: ${number(counted)} seeds counted, ${end}`
  })
  return `# The ledger

<!-- Written by \`node scripts/ledger.mjs\`. -->

What the built-in scenarios (\`holdfast simulate\`) were put through with nothing planted in the program. Seeds are
derived from the commit, the scenario's name and a running number, so nobody chose them; \`ledger.jsonl\` beside this
page has every stretch of them, and \`node scripts/ledger.mjs --minutes 30\` goes on where it ends. A seed *counts* if
the run came to its end, three faults hit, and something was stored after the first. A run stops at the first failure.

Commit \`${last.commit}\`, code \`${last.code.slice(0, 12)}\`:

| scenario | seeds | that count | events | virtual hours | faults that hit | seeds/s | failed |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |
${names
  .map((name) => row(name, sumsOf(last.stretches.filter(({ scenario }) => scenario === name))))
  .join('\n')}
${row('**all**', sumsOf(last.stretches))}

Faults that hit: ${kinds.map(([kind, times]) => `${kind} ${number(times)}`).join(', ')}.
${earlier.length === 0 ? '' : `\nBefore:\n\n${earlier.join('\n')}\n`}`
}
