// How long nobody could write, drawn: as text for a terminal, and as a page with one picture.

const stepMs = 250
const columns = 60

/** How many fell into each step of a quarter of a second. */
function steps(times) {
  const counts = new Map()
  for (const tookMs of times) {
    const step = Math.floor(tookMs / stepMs)
    counts.set(step, (counts.get(step) ?? 0) + 1)
  }
  const last = Math.max(...counts.keys())
  return Array.from({ length: last + 1 }, (_, step) => counts.get(step) ?? 0)
}

export function asText(kind, { count, p50, p90, max }, times) {
  const all = steps(times)
  const most = Math.max(...all)
  const first = all.findIndex((some) => some > 0)
  const lines = all.map((some, step) => {
    const bar = '█'.repeat(Math.ceil((some / most) * columns))
    return `${String(step * stepMs).padStart(7)} ms ${String(some).padStart(4)} ${bar}`
  })
  const title = `${kind}: ${count} times; until the next write p50 ${p50} ms, p90 ${p90} ms, max ${max} ms`
  return [`\n${title}`, ...lines.slice(first)].join('\n')
}

const colours = [
  '#2f6f8f',
  '#c2703d',
  '#6b8f3f',
  '#8f4f7f',
  '#a08a2f',
  '#4f5f8f',
  '#8f3f3f',
  '#3f8f7f',
]

/** A row for each kind of blow, a dot for each blow, a line at the median. */
export function asPage(facts, spreads, timesOf) {
  const kinds = Object.keys(spreads)
  const longest = Math.max(...kinds.map((kind) => spreads[kind].max), 1_000)
  const [left, width, row] = [170, 720, 56]
  const x = (ms) => left + (ms / longest) * width
  const ticks = Array.from({ length: Math.floor(longest / 1_000) + 1 }, (_, second) => second)
  const grid = ticks.map(
    (second) =>
      `<line x1="${x(second * 1_000)}" x2="${x(second * 1_000)}" y1="0" y2="${kinds.length * row}" stroke="#ddd"/>` +
      `<text x="${x(second * 1_000)}" y="${kinds.length * row + 16}" text-anchor="middle">${second} s</text>`,
  )
  const rows = kinds.map((kind, at) => {
    const y = at * row + row / 2
    const colour = colours[at % colours.length]
    const dots = timesOf(kind).map(
      (ms, index) =>
        `<circle cx="${x(ms)}" cy="${y + ((index * 7) % 21) - 10}" r="3" fill="${colour}" fill-opacity="0.5"/>`,
    )
    const { count, p50, p90, max } = spreads[kind]
    return (
      `<text x="${left - 12}" y="${y}" text-anchor="end">${kind}</text>` +
      `<text x="${left - 12}" y="${y + 14}" text-anchor="end" fill="#777">${count}× · p50 ${p50} · p90 ${p90} · max ${max}</text>` +
      `${dots.join('')}<line x1="${x(p50)}" x2="${x(p50)}" y1="${y - 16}" y2="${y + 16}" stroke="${colour}" stroke-width="2"/>`
    )
  })
  const { seed, seconds, electionMs, operations, doubts, verdict } = facts
  return `<!doctype html>
<meta charset="utf-8">
<title>Holdfast: until the next write</title>
<style>body { font: 14px system-ui; margin: 2em; max-width: 960px } svg { font-size: 11px; overflow: visible }</style>
<h1>From a blow to the next write</h1>
<p>Three members in three processes; ${seconds} s, seed ${seed}, elections after ${electionMs} ms.
${operations} operations, ${doubts} of them in doubt. Linearizable: <b>${verdict}</b>.</p>
<svg viewBox="0 0 ${left + width + 20} ${kinds.length * row + 30}" width="100%">${grid.join('')}${rows.join('')}</svg>
`
}
