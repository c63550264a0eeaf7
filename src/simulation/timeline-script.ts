/**
 * What draws the picture in the browser, as text: the page carries it along. It reads the recording from
 * the page, shows one window of time, and redraws when the window moves.
 */
export const timelineScript: string = `
'use strict'
const run = JSON.parse(document.getElementById('recording').textContent)
const picture = document.getElementById('picture')
const told = document.getElementById('told')
const lanes = run.lanes
const top_ = 46, left = 92, step = 150, noteWidth = 330
const height = () => Math.max(420, innerHeight - picture.getBoundingClientRect().top - 70)
const width = left + lanes.length * step + noteWidth
const ms = (us) => (us / 1000).toFixed(3) + ' ms'
const laneOf = (name) => {
  const exact = lanes.indexOf(name)
  return exact >= 0 ? exact : lanes.findIndex((lane) => lane.startsWith(name + '/'))
}
const x = (lane) => left + lane * step + step / 2
let fromUs = 0, untilUs = Math.max(1, run.endUs)
const y = (us) => top_ + ((us - fromUs) / (untilUs - fromUs)) * (height() - top_ - 18)

function add(name, attributes, text, about) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', name)
  for (const key in attributes) node.setAttribute(key, attributes[key])
  if (text !== undefined) node.textContent = text
  if (about !== undefined) {
    node.addEventListener('pointerenter', () => { told.textContent = about })
    const title = document.createElementNS('http://www.w3.org/2000/svg', 'title')
    title.textContent = about
    node.append(title)
  }
  picture.append(node)
  return node
}
const line = (className, x1, y1, x2, y2, about) =>
  add('line', { class: className, x1, y1, x2, y2 }, undefined, about)
const shows = (a, b) => a <= untilUs && b >= fromUs
const clamp = (us) => Math.min(Math.max(us, fromUs), untilUs)

function axis() {
  const rough = (untilUs - fromUs) / 10
  const unit = 10 ** Math.floor(Math.log10(Math.max(rough, 1)))
  const tick = [1, 2, 5, 10].map((n) => n * unit).find((n) => n >= rough)
  for (let us = Math.ceil(fromUs / tick) * tick; us <= untilUs; us += tick) {
    line('tick', left - 8, y(us), width - noteWidth, y(us))
    add('text', { class: 'soft', x: left - 14, y: y(us) + 4, 'text-anchor': 'end' },
      (us / 1000).toLocaleString('en', { maximumFractionDigits: 3 }) )
  }
  add('text', { class: 'soft', x: left - 14, y: top_ - 14, 'text-anchor': 'end' }, 'ms')
}

function drawBands() {
  let labelY = 0
  run.bands.forEach((band, index) => {
    const end = band.untilUs ?? run.endUs
    if (!shows(band.fromUs, end)) return
    const about = band.kind + ' (' + band.text + ') from ' + ms(band.fromUs) + ' to ' + ms(end)
    const y1 = y(clamp(band.fromUs)), y2 = Math.max(y(clamp(end)), y1 + 2)
    // A fault that names lanes lies over them, any other over all.
    const named = lanes.map((_, lane) => lane).filter((lane) => {
      const [machine] = lanes[lane].split('/')
      return band.text.split(/[ >|]/).some((word) => word === lanes[lane] || word === machine)
    })
    const over = named.length > 0 ? named : lanes.map((_, lane) => lane)
    for (const lane of over) {
      add('rect', { class: 'band', x: x(lane) - step / 2 + 4, y: y1, width: step - 8, height: y2 - y1 },
        undefined, about)
    }
    const edge = width - noteWidth + 4 + (index % 6) * 5
    line('bandedge', edge, y1, edge, y2, about)
    const label = Math.max(y1 + 11, labelY + 14)
    if (label > y2 + 40) return
    labelY = label
    add('text', { class: 'soft', x: width - noteWidth + 40, y: label }, band.kind + ': ' + band.text.slice(0, 34), about)
  })
}

/** Each term has a colour of its own, neighbours far apart; the leader's band is wide. */
function drawRoles() {
  for (const span of run.roles) {
    const end = span.untilUs ?? run.endUs
    const lane = laneOf(span.lane)
    if (lane < 0 || !shows(span.fromUs, end)) continue
    const leads = span.role === 'leader', wide = leads ? 34 : span.role === 'follower' ? 14 : 22
    const y1 = y(clamp(span.fromUs)), y2 = Math.max(y(clamp(end)), y1 + 2)
    const about = span.lane + ': ' + span.role + ' in term ' + span.term + ', ' + ms(span.fromUs) + ' to ' + ms(end)
    add('rect', { class: 'role ' + span.role, x: x(lane) - wide / 2, y: y1, width: wide, height: y2 - y1,
      fill: 'hsl(' + ((span.term * 137.5) % 360) + ' 65% 50%)' }, undefined, about)
    if (leads && y2 - y1 > 14) add('text', { x: x(lane) + wide / 2 + 3, y: y1 + 12 }, 'term ' + span.term, about)
  }
}

function drawLanes() {
  lanes.forEach((name, lane) => {
    line('lane', x(lane), top_ - 6, x(lane), y(untilUs))
    const text = add('text', { x: x(lane), y: 20, 'text-anchor': 'middle' }, name, name)
    if (name.length > 20) text.firstChild.textContent = name.slice(0, 19) + '…'
    let born
    const own = run.marks.filter((mark) => mark.lane === name)
    for (const mark of [...own, { kind: 'exit', atUs: run.endUs }]) {
      if (mark.kind === 'start') born = mark.atUs
      else if (['exit', 'kill', 'power-cut'].includes(mark.kind) && born !== undefined) {
        if (shows(born, mark.atUs)) line('alive', x(lane), y(clamp(born)), x(lane), y(clamp(mark.atUs)))
        born = undefined
      }
    }
  })
}

function drawMessage(message) {
  const end = message.arrivedUs ?? message.sentUs + Math.min(300, (untilUs - fromUs) / 20)
  const from = laneOf(message.source), to = laneOf(message.target)
  if (from < 0 || to < 0 || !shows(message.sentUs, end)) return
  const came = message.arrivedUs !== undefined
  const about = message.kind + ' of ' + message.sizeBytes + ' bytes, ' + message.source + ' to ' +
    message.target + ', sent ' + ms(message.sentUs) +
    (came ? ', came ' + ms(message.arrivedUs) : ', ' + (message.dropped ?? 'still on its way'))
  const bow = from === to ? 22 : 0
  const part = came ? 1 : 0.6
  const x1 = x(from), x2 = x1 + (x(to) - x1) * part + bow * (came ? 0 : 1)
  const y1 = y(message.sentUs), y2 = y(end)
  if (bow > 0 && came) {
    add('path', { class: 'arrow', fill: 'none',
      d: 'M' + x1 + ' ' + y1 + ' q ' + bow + ' ' + (y2 - y1) / 2 + ' 0 ' + (y2 - y1) }, undefined, about)
    return
  }
  line(came ? 'arrow' : 'gone', x1, y1, x2, y2, about)
  if (!came) {
    line('x', x2 - 4, y2 - 4, x2 + 4, y2 + 4, about)
    line('x', x2 - 4, y2 + 4, x2 + 4, y2 - 4, about)
    return
  }
  const angle = (Math.atan2(y2 - y1, x2 - x1) * 180) / Math.PI
  add('path', { class: 'head', d: 'M0 0 L-9 -4 L-9 4 Z',
    transform: 'translate(' + x2 + ' ' + y2 + ') rotate(' + angle + ')' }, undefined, about)
}

/** A bar from call to answer; an open one runs on to the end. */
function drawOperation(operation) {
  const end = operation.untilUs ?? run.endUs
  if (!shows(operation.fromUs, end)) return
  const lane = laneOf(operation.lane)
  if (lane < 0) return
  const about = operation.lane + ': ' + operation.text + ' \u2192 ' + (operation.answer ?? 'never answered') +
    ', ' + ms(operation.fromUs) + ' to ' + (operation.untilUs === undefined ? 'never' : ms(end)) +
    (operation.blamed ? ', part of the violation' : '')
  const y1 = y(clamp(operation.fromUs)), y2 = Math.max(y(clamp(end)), y1 + 3)
  const name = 'operation' + (operation.blamed ? ' blamed' : '') + (operation.untilUs === undefined ? ' open' : '')
  add('rect', { class: name, x: x(lane) - 11, y: y1, width: 6, height: y2 - y1 }, undefined, about)
  if (operation.blamed) add('text', { class: 'violation', x: x(lane) + 12, y: y1 + 10 },
    (operation.text + ' \u2192 ' + (operation.answer ?? '?')).slice(0, 40), about)
}

let noteY = 0
function drawMark(mark) {
  if (!shows(mark.atUs, mark.untilUs ?? mark.atUs)) return
  const lane = laneOf(mark.lane)
  const at = y(clamp(mark.atUs)), cx = lane < 0 ? left : x(lane)
  const about = ms(mark.atUs) + '  ' + (mark.lane ? mark.lane + ': ' : '') + mark.kind + ' ' + mark.text
  if (mark.kind === 'start') add('circle', { class: 'birth', cx, cy: at, r: 5 }, undefined, about)
  else if (mark.kind === 'kill' || mark.kind === 'power-cut') {
    line('death', cx - 6, at - 6, cx + 6, at + 6, about)
    line('death', cx - 6, at + 6, cx + 6, at - 6, about)
  } else if (mark.kind === 'pause') line('paused', cx, at, cx, y(clamp(mark.untilUs)), about)
  else if (mark.kind === 'commit' || mark.kind === 'sync')
    add('rect', { class: 'durable', x: cx - 4, y: at - 4, width: 8, height: 8 }, undefined, about)
  else if (mark.kind === 'healed') {
    line('healed', left, at, width - noteWidth, at, about)
    add('text', { class: 'soft', x: left, y: at - 4 }, 'healed')
  } else if (mark.kind === 'violation') {
    line('violationline', left, at, width - 8, at, about)
    add('rect', { class: 'violation', x: cx - 6, y: at - 6, width: 12, height: 12,
      transform: 'rotate(45 ' + cx + ' ' + at + ')' }, undefined, about)
    add('text', { class: 'violation', x: width - noteWidth + 40, y: at - 6 }, mark.text.slice(0, 52), about)
  } else if (mark.kind === 'note') {
    add('circle', { class: 'note', cx, cy: at, r: 3 }, undefined, about)
    // A change of role is seen by its colour.
    const isRole = run.roles.some((span) => span.lane === mark.lane && span.fromUs === mark.atUs)
    if (mark.text !== '' && lane >= 0 && at - noteY > 12 && !isRole) {
      noteY = at
      add('text', { class: 'soft', x: cx + 8, y: at + 4 }, mark.text.slice(0, 22), about)
    }
  }
}

function draw() {
  picture.replaceChildren()
  picture.setAttribute('width', width)
  picture.setAttribute('height', height())
  noteY = 0
  drawBands()
  axis()
  drawRoles()
  drawLanes()
  run.operations.forEach(drawOperation)
  run.messages.forEach(drawMessage)
  run.marks.forEach(drawMark)
  document.getElementById('from').value = Math.round(fromUs) / 1000
  document.getElementById('until').value = Math.round(untilUs) / 1000
}
function show(from, until) {
  const span = Math.max(until - from, 20)
  fromUs = Math.max(0, Math.min(from, run.endUs - span))
  untilUs = Math.min(fromUs + span, Math.max(run.endUs * 1.02, fromUs + 20))
  draw()
}
function zoom(factor, around = (fromUs + untilUs) / 2) {
  show(around - (around - fromUs) * factor, around + (untilUs - around) * factor)
}
/** The window that holds what a judge blames, or else the last happenings. */
function theEnd() {
  const times = [...run.messages.map((m) => m.sentUs), ...run.marks.map((m) => m.atUs)]
  times.sort((a, b) => a - b)
  const blamed = run.operations.filter((operation) => operation.blamed)
  if (blamed.length > 0) {
    const first = Math.min(...blamed.map((operation) => operation.fromUs))
    const last = Math.max(...blamed.map((operation) => operation.untilUs ?? operation.fromUs))
    const margin = (last - first) * 0.15 + 1000
    return show(first - margin, last + margin)
  }
  const start = times[Math.max(0, times.length - 40)] ?? 0
  show(start - (run.endUs - start) * 0.05, run.endUs * 1.0001 + 10)
}
const on = (id, act) => document.getElementById(id).addEventListener('click', act)
on('earlier', () => show(fromUs - (untilUs - fromUs) / 2, untilUs - (untilUs - fromUs) / 2))
on('later', () => show(fromUs + (untilUs - fromUs) / 2, untilUs + (untilUs - fromUs) / 2))
on('in', () => zoom(0.5))
on('out', () => zoom(2))
on('all', () => show(0, run.endUs * 1.01))
on('end', theEnd)
for (const id of ['from', 'until']) {
  document.getElementById(id).addEventListener('change', () => {
    show(document.getElementById('from').value * 1000, document.getElementById('until').value * 1000)
  })
}
picture.addEventListener('wheel', (event) => {
  event.preventDefault()
  const span = untilUs - fromUs
  if (event.ctrlKey) {
    const at = fromUs + ((event.offsetY - top_) / (height() - top_ - 18)) * span
    zoom(event.deltaY > 0 ? 1.25 : 0.8, at)
  } else show(fromUs + (span * event.deltaY) / 800, untilUs + (span * event.deltaY) / 800)
}, { passive: false })
addEventListener('resize', draw)
document.getElementById('facts').textContent = lanes.length + ' processes, ' + run.messages.length +
  ' messages, ' + run.bands.length + ' faults, ' + ms(run.endUs) +
  (run.forgotten > 0 ? '; the oldest ' + run.forgotten + ' happenings are left out' : '')
theEnd()
`
