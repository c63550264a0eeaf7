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
export function asPicture(spreads, timesOf) {
  const kinds = Object.keys(spreads)
  const longest = Math.max(...kinds.map((kind) => spreads[kind].max), 1_000)
  const [left, width, row] = [200, 720, 56]
  const bottom = kinds.length * row
  const x = (ms) => Math.round(left + (ms / longest) * width)
  const text = (at, y, words, more) => `<text x="${at}" y="${y}" ${more}>${words}</text>`
  const line = (at, from, to, more) =>
    `<line x1="${at}" x2="${at}" y1="${from}" y2="${to}" ${more}/>`
  const seconds = Array.from({ length: Math.floor(longest / 1_000) + 1 }, (_, second) => second)
  const grid = seconds.map((second) => {
    const at = x(second * 1_000)
    return (
      line(at, 0, bottom, 'stroke="#ddd"') +
      text(at, bottom + 16, `${second} s`, 'text-anchor="middle"')
    )
  })
  const rows = kinds.map((kind, number) => {
    const y = number * row + row / 2
    const colour = colours[number % colours.length]
    const dots = timesOf(kind).map((ms, index) => {
      const at = y + ((index * 7) % 21) - 10
      return `<circle cx="${x(ms)}" cy="${at}" r="3" fill="${colour}" fill-opacity="0.5"/>`
    })
    const { count, p50, p90, max } = spreads[kind]
    const figures = `${count}× · p50 ${p50} · p90 ${p90} · max ${max}`
    const median = `stroke="${colour}" stroke-width="2"`
    return [
      text(left - 12, y, kind, 'text-anchor="end"'),
      text(left - 12, y + 14, figures, 'text-anchor="end" fill="#777"'),
      ...dots,
      line(x(p50), y - 16, y + 16, median),
    ].join('')
  })
  const box = `0 -8 ${left + width + 30} ${bottom + 32}`
  const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${box}" font-family="sans-serif"`
  const ground = `<rect y="-8" width="100%" height="100%" fill="#fff"/>`
  const title = '<title>From each blow to the end of the next write, by kind of blow</title>'
  return `${head} font-size="11">${title}${ground}${grid.join('')}${rows.join('')}</svg>\n`
}

export function asPage(facts, spreads, timesOf) {
  const { seed, seconds, electionMs, operations, doubts, verdict } = facts
  return `<!doctype html>
<meta charset="utf-8">
<title>Holdfast: until the next write</title>
<style>body { font: 14px system-ui; margin: 2em; max-width: 960px }</style>
<h1>From a blow to the next write</h1>
<p>Three members in three processes; ${seconds} s, seed ${seed}, elections after ${electionMs} ms.
${operations} operations, ${doubts} of them in doubt. Linearizable: <b>${verdict}</b>.</p>
${asPicture(spreads, timesOf)}`
}
