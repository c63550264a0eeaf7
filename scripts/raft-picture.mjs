/**
 * A run of Raft as a picture: time runs down, each member has a lane, coloured by its term and wide where it
 * leads; arrows are messages; in the margin, what the logs held.
 */
const left = 52
const step = 128
const top = 64
const margin = 196

export function raftPicture(record, { title, fromMs, scale }) {
  const { ids, endMs } = record
  const width = left + ids.length * step + (record.logs.length > 0 ? margin : 0)
  const height = top + (endMs - fromMs) * scale + 20
  const x = (id) => left + ids.indexOf(id) * step + step / 2
  const y = (ms) => top + (Math.max(fromMs, Math.min(endMs, ms)) - fromMs) * scale
  const shown = (from, until = endMs) => from <= endMs && until >= fromMs
  const parts = [
    ...axis(),
    ...record.cuts.filter(({ untilMs }) => shown(fromMs, untilMs)).flatMap(cut),
    ...ids.flatMap((id) => [
      `<text class="name" x="${x(id)}" y="${top - 16}">${id}</text>`,
      `<line class="lane" x1="${x(id)}" x2="${x(id)}" y1="${top}" y2="${y(endMs)}"/>`,
    ]),
    ...record.roles.filter(({ fromMs: from, untilMs }) => shown(from, untilMs)).map(role),
    ...record.arrows.filter(({ sentMs, arrivedMs }) => shown(sentMs, arrivedMs)).map(arrow),
    ...record.commits.filter(({ atMs }) => shown(atMs) && atMs >= fromMs).map(commit),
    ...record.marks.filter(({ atMs }) => atMs >= fromMs).map(mark),
    ...record.logs.flatMap(logs),
  ]
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${round(height)}" role="img" aria-label="${title}">
<defs><marker id="h" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L8 4L0 8z" fill="#2f6db3"/></marker><marker id="q" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="6" markerHeight="6" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L8 4L0 8z" fill="#9fb0c0"/></marker></defs>
<style>${style}</style>
<text class="title" x="12" y="24">${title}</text>
${parts.join('\n')}
</svg>
`

  function axis() {
    const lines = []
    const every = endMs - fromMs > 500 ? 100 : 50
    for (let ms = Math.ceil(fromMs / every) * every; ms <= endMs; ms += every) {
      const at = round(y(ms))
      lines.push(
        `<line class="tick" x1="${left - 6}" x2="${left + ids.length * step}" y1="${at}" y2="${at}"/>`,
        `<text class="time" x="${left - 10}" y="${at + 4}">${ms} ms</text>`,
      )
    }
    return lines
  }

  /** Shaded: those who hear nobody outside their group. */
  function cut({ groups, fromMs: from, untilMs = endMs }) {
    const [y1, y2] = [y(from), y(untilMs)]
    if (y2 - y1 < 2) return []
    const inside = groups.flat()
    const alone = ids.filter((id) => !inside.includes(id)).map((id) => [id])
    return [...groups, ...alone].flatMap((group, index) =>
      group.map((id) => {
        const place = `x="${x(id) - step / 2}" y="${round(y1)}" width="${step}" height="${round(y2 - y1)}"`
        return `<rect class="cut cut${index % 4}" ${place}/>`
      }),
    )
  }

  function role({ id, role: now, term, fromMs: from, untilMs = endMs }) {
    const wide = now === 'leader' ? 22 : now === 'follower' ? 8 : 14
    const [y1, y2] = [y(from), y(untilMs)]
    if (y2 <= y1) return ''
    const about = `<title>${id} is ${now} in term ${term}</title>`
    const band = `<rect class="role ${now}" style="fill:${colour(term)}" x="${x(id) - wide / 2}" y="${round(y1)}" width="${wide}" height="${round(y2 - y1)}">${about}</rect>`
    if (now !== 'leader' || y2 - y1 < 74) return band
    const [cx, cy] = [x(id) + 4, round((y1 + y2) / 2)]
    return `${band}<text class="term" transform="translate(${cx} ${cy}) rotate(-90)">leads, term ${term}</text>`
  }

  function arrow({ from, to, sentMs, arrivedMs, lostMs, kind, text }) {
    const end = arrivedMs ?? lostMs ?? endMs
    const part = arrivedMs === undefined && lostMs !== undefined ? 0.75 : 1
    const [x1, y1] = [x(from), y(sentMs)]
    const [x2, y2] = [x1 + (x(to) - x1) * part, y1 + (y(end) - y1) * part]
    const lost = arrivedMs === undefined && lostMs !== undefined
    const line = `<line class="arrow ${kind}${lost ? ' lost' : ''}" x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}"${lost ? '' : ` marker-end="url(#${kind === 'quiet' ? 'q' : 'h'})"`}/>`
    const cross = lost
      ? `<path class="cross" d="M${round(x2 - 3)} ${round(y2 - 3)}l6 6m0 -6l-6 6"/>`
      : ''
    if (text === '' || lost) return line + cross
    // Beside the arrow, nearer to its tail, where its neighbours have not met yet.
    const at = [x1 + (x2 - x1) * 0.42, y1 + (y2 - y1) * 0.42 - 3]
    const angle = (Math.atan2(y2 - y1, x2 - x1) * 180) / Math.PI
    const upright = Math.abs(angle) > 90 ? angle + 180 : angle
    return `${line}${cross}<text class="word ${kind}" transform="translate(${round(at[0])} ${round(at[1])}) rotate(${round(upright)})">${text}</text>`
  }

  function commit({ id, atMs, index }) {
    return `<circle class="commit" cx="${x(id)}" cy="${round(y(atMs))}" r="4.5"><title>${id} knows that ${index} is committed</title></circle><text class="index" x="${x(id) + 8}" y="${round(y(atMs)) + 4}">✓${index}</text>`
  }

  function mark({ id, atMs, kind, text }) {
    const [cx, cy] = [x(id), round(y(atMs))]
    const sign =
      kind === 'crash'
        ? `<path class="crash" d="M${cx - 7} ${cy - 7}l14 14m0 -14l-14 14"/>`
        : `<circle class="${kind === 'start' ? 'start' : 'act'}" cx="${cx}" cy="${cy}" r="4.5"/>`
    return kind === 'start'
      ? sign
      : `${sign}<text class="act" x="${cx + 12}" y="${cy - 6}">${text}</text>`
  }

  function logs({ atMs, title: text, rows }) {
    const x0 = left + ids.length * step + 14
    const y0 = round(y(atMs)) - rows.length * 13 - 12
    return [
      `<line class="tick" x1="${left}" x2="${x0 + margin - 20}" y1="${round(y(atMs))}" y2="${round(y(atMs))}"/>`,
      `<text class="log head" x="${x0}" y="${y0}">${text}</text>`,
      ...rows.flatMap(({ id, up, from, committed, entries }, row) => {
        const at = y0 + 5 + row * 13
        const name = `<text class="log${up ? '' : ' down'}" x="${x0}" y="${at + 10}">${id}</text>`
        const old =
          from > 0
            ? `<rect class="old" x="${x0 + 14}" y="${at}" width="26" height="11"/><text class="cell" x="${x0 + 27}" y="${at + 9}">…${from}</text>`
            : ''
        const cells = entries.map(({ index, term, kind }, place) => {
          const cx = x0 + 14 + (from > 0 ? 28 : 0) + place * 15
          const sure = index <= committed ? ' sure' : ''
          const shape = kind === 'configuration' ? ' rx="6"' : ''
          return `<rect class="entry${sure}" style="fill:${colour(term)}" x="${cx}" y="${at}" width="13" height="11"${shape}><title>entry ${index} of term ${term}, ${kind}</title></rect><text class="cell" x="${cx + 6.5}" y="${at + 9}">${term}</text>`
        })
        return [name, old, ...cells]
      }),
    ]
  }
}

const colour = (term) => `hsl(${Math.round((term * 137.5) % 360)} 60% 55%)`
const round = (value) => Math.round(value * 10) / 10

const style = `
  svg { background: #fdfdfb } text { font: 11px system-ui, sans-serif; fill: #17212b }
  .title { font-size: 15px; font-weight: 600 } .name { font-size: 14px; font-weight: 600; text-anchor: middle }
  .time { text-anchor: end; fill: #6a7783; font-size: 10px } .tick { stroke: #c9d1d8; stroke-dasharray: 1 4 }
  .lane { stroke: #c9d1d8; stroke-width: 2 } .role { opacity: .45 } .role.leader { opacity: .85 }
  .role.candidate, .role.pre-candidate { opacity: .6 } .term { text-anchor: middle; font-weight: 600; font-size: 10px; fill: #fff }
  .arrow { stroke: #2f6db3; stroke-width: 1.2 } .arrow.quiet, .arrow.reply { stroke: #9fb0c0; stroke-width: .8 }
  .arrow.pre { stroke: #a06bb0 } .arrow.vote { stroke: #b5651d } .arrow.snapshot { stroke: #2e7d4f; stroke-width: 4 }
  .lost { stroke-dasharray: 4 3 } .cross { stroke: #b3261e; stroke-width: 1.4; fill: none }
  .word { text-anchor: middle; font-size: 9.5px; fill: #45525f } .cut { fill: #e2a33b; opacity: .1 } .cut1 { fill: #2f6db3 } .cut2 { fill: #b3261e } .cut3 { fill: #2e7d4f }
  .commit { fill: #2e7d4f; stroke: #fff } .index { font-size: 10px; fill: #2e7d4f } .crash { stroke: #b3261e; stroke-width: 2.6 }
  .start { fill: #fdfdfb; stroke: #2e7d4f; stroke-width: 2.2 } circle.act { fill: #17212b } text.act { font-weight: 600 }
  .log { font-size: 10px } .log.head { font-weight: 600; font-size: 11px } .down { text-decoration: line-through; fill: #93a1ad }
  .entry { stroke: none; opacity: .75 } .entry.sure { stroke: #2e7d4f; stroke-width: 2; opacity: 1 }
  .old { fill: #c9d1d8 } .cell { font-size: 8.5px; text-anchor: middle }
  @media (prefers-color-scheme: dark) { svg { background: #14191e } text { fill: #e4e9ee } .word, .time { fill: #93a1ad }
    .lane, .tick { stroke: #37424c } .arrow { stroke: #7fb2ea } .arrow.quiet, .arrow.reply { stroke: #4d5c69 }
    .start { fill: #14191e } circle.act { fill: #e4e9ee } .index { fill: #77c796 } .cell { fill: #14191e } .old { fill: #6a7783 } }
`
