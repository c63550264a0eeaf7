/**
 * The history as a page that needs nothing else: a lane for each process, a bar for each operation from its
 * call to its return, numbers where the longest order placed them, and marks on what cannot follow.
 */
import type { Verdict } from '../../verification/history.ts'
import type { Bar, Drawn } from './judges.ts'

export interface DrawingOptions {
  readonly path: string
  readonly model: string
  readonly verdict: Verdict
  readonly operations: number
  readonly drawn: Drawn | undefined
}

/** More bars than this nobody reads, and browsers are slow to draw. */
const barsMax = 400
const laneHeight = 34
const eventWidth = 60
const namesWidth = 90

const words: Readonly<Record<Verdict, string>> = {
  ok: 'An order exists: the history is right.',
  violation: 'No order of these operations is possible.',
  unknown: 'No verdict was reached.',
}

export function drawing({ path, model, verdict, operations, drawn }: DrawingOptions): string {
  const bars = drawn === undefined ? [] : chosen(drawn)
  const hidden = (drawn?.bars.length ?? 0) - bars.length
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${safe(model)}: ${verdict}</title>
<meta name="viewport" content="width=device-width"><style>${style}</style></head><body>
<h1 class="${verdict}">${verdict}</h1>
<p>${safe(path)}, ${operations} operations, model ${safe(model)}. ${words[verdict]}
${hidden > 0 ? `${hidden} operations far from the end of the longest order are not drawn.` : ''}</p>
<p class="legend"><span class="key placed">3</span> place in the longest order that is possible
<span class="key stuck">!</span> may come next by its time, but the model refuses it
<span class="key reason">&nbsp;</span> part of the reason: whatever the others did, these cannot all be
<span class="key open">&nbsp;</span> open: its end was not seen</p>
${drawn === undefined ? '' : svg(bars, drawn)}
${drawn === undefined ? '' : table(bars, drawn)}
</body></html>
`
}

/** Those around the end of the longest order. */
function chosen({ bars, order, stuck, reason }: Drawn): Bar[] {
  if (bars.length <= barsMax) return [...bars]
  const marked = (bar: Bar): boolean => stuck.has(bar) || reason.has(bar)
  const middle = Math.max(
    0,
    bars.findIndex((bar) => stuck.has(bar)),
  )
  const near = bars.slice(Math.max(0, middle - barsMax / 2), middle + barsMax / 4)
  const others = order.size > 0 || stuck.size > 0 ? bars.filter(marked).slice(0, barsMax / 4) : []
  return [...new Set([...near, ...others])].sort((a, b) => a.calledAt - b.calledAt)
}

function classOf(bar: Bar, { order, stuck, reason }: Drawn): string {
  const classes = [stuck.has(bar) ? 'stuck' : order.has(bar) ? 'placed' : 'other']
  if (reason.has(bar)) classes.push('reason')
  if (!Number.isFinite(bar.returnedAt)) classes.push('open')
  return classes.join(' ')
}

function svg(bars: readonly Bar[], drawn: Drawn): string {
  const lanes = new Map<number | string, number>()
  const processes = [...new Set(bars.map(({ process }) => process))]
  processes.sort((a, b) => Number(a) - Number(b) || String(a).localeCompare(String(b)))
  for (const process of processes) lanes.set(process, lanes.size)
  // Only the order of events is drawn: equal steps from one to the next.
  const times = new Set(bars.flatMap(({ calledAt, returnedAt }) => [calledAt, returnedAt]))
  const columns = new Map<number, number>()
  for (const time of [...times].sort((a, b) => (a < b ? -1 : 1))) {
    if (Number.isFinite(time)) columns.set(time, columns.size)
  }
  const width = namesWidth + (columns.size + 1) * eventWidth
  const x = (time: number): number => namesWidth + (columns.get(time) ?? columns.size) * eventWidth
  const names = Array.from(lanes, ([process, lane]) => {
    const y = lane * laneHeight
    return `<text class="name" x="4" y="${y + 21}">${safe(String(process))}</text>
<line x1="0" x2="${width}" y1="${y + laneHeight}" y2="${y + laneHeight}"/>`
  })
  const drawnBars = bars.map((bar) => {
    const y = (lanes.get(bar.process) ?? 0) * laneHeight + 4
    const from = x(bar.calledAt)
    const length = Math.max(10, x(bar.returnedAt) - from - 4)
    const number = drawn.order.get(bar)
    const mark = drawn.stuck.has(bar) ? '! ' : number === undefined ? '' : `${number + 1}. `
    return `<g class="${classOf(bar, drawn)}"><title>${safe(`line ${bar.line}: ${bar.text}`)}</title>
<rect x="${from}" y="${y}" width="${length}" height="${laneHeight - 8}" rx="3"/>
<svg x="${from}" y="${y}" width="${length}" height="${laneHeight - 8}"><text x="5" y="17">${mark}${safe(short(bar.text))}</text></svg></g>`
  })
  return `<div class="scroll"><svg width="${width}" height="${lanes.size * laneHeight + 2}">
${names.join('\n')}\n${drawnBars.join('\n')}</svg></div>`
}

/** The same in words, for those who cannot see the drawing or want to search it. */
function table(bars: readonly Bar[], drawn: Drawn): string {
  const rows = bars
    .filter((bar) => drawn.stuck.has(bar) || drawn.reason.has(bar))
    .map((bar) => {
      const why = drawn.stuck.has(bar) ? 'cannot follow' : 'part of the reason'
      return `<tr><td>${bar.line}</td><td>${safe(String(bar.process))}</td><td>${safe(short(bar.text))}</td><td>${why}</td></tr>`
    })
  if (rows.length === 0) return ''
  return `<table><tr><th>line</th><th>process</th><th>operation</th><th></th></tr>${rows.join('')}</table>`
}

function short(text: string): string {
  return text.length > 120 ? `${text.slice(0, 60)} … ${text.slice(-50)}` : text
}

function safe(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

const style = `
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --line: #d8dee4; --other: #e4e8ec;
  --placed: #cfe8d5; --stuck: #ffc9c2; --reason: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --paper: #0f1419; --line: #2b333b;
  --other: #28313a; --placed: #1f4a2d; --stuck: #6d2520; --reason: #ff8a80; } }
body { font: 14px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 24px; }
h1 { margin: 0; font-size: 22px } h1.violation { color: var(--reason) }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px }
svg text { font: 12px ui-monospace, monospace; fill: var(--ink) } svg .name { font-weight: 600 }
svg line { stroke: var(--line) } rect { fill: var(--other) }
.placed rect { fill: var(--placed) } .stuck rect { fill: var(--stuck) }
.reason rect { stroke: var(--reason); stroke-width: 2 } .open rect { stroke: var(--ink); stroke-dasharray: 4 3 }
.key { padding: 1px 8px; border-radius: 3px; background: var(--other); margin-left: 14px }
.key.placed { background: var(--placed) } .key.stuck { background: var(--stuck) }
.key.reason { outline: 2px solid var(--reason) } .key.open { outline: 1px dashed var(--ink) }
table { margin-top: 20px; border-collapse: collapse } td, th { text-align: left; padding: 3px 14px 3px 0;
  border-bottom: 1px solid var(--line) }
`
