/**
 * The end of a run for a terminal: one line per happening, one column per process. An arrow runs from the
 * sender's column to the receiver's in the line of its arrival; what never came is dotted.
 */
import type { DrawnOperation, Mark, MarkKind, Message, Recording, RoleSpan } from './recorder.ts'

interface Line {
  readonly atUs: number
  readonly cells: readonly string[]
  readonly text: string
  /** Shown however long ago it was. */
  readonly blamed?: boolean
  readonly fault?: boolean
}

const signs: Readonly<Record<MarkKind, string>> = {
  start: '○',
  exit: '□',
  kill: '✗',
  'power-cut': '✗',
  pause: '⏸',
  commit: '■',
  sync: '■',
  note: '·',
  healed: '═',
  violation: '!',
}

const width = 3

export function timelineText(recording: Recording, title: string, linesMax: number): string {
  const { lanes, roles } = recording
  const lines: Line[] = [
    ...recording.messages.map((message) => messageLine(message, lanes)),
    ...recording.marks.map((mark) => markLine(mark, lanes)),
    ...recording.operations.flatMap((operation) => operationLines(operation, lanes)),
    ...recording.bands.flatMap(({ kind, text, fromUs, untilUs }) => [
      { atUs: fromUs, cells: [], text: `▼ ${kind}: ${text}`, fault: true },
      ...(untilUs === undefined
        ? []
        : [{ atUs: untilUs, cells: [], text: `▲ ${kind} is over`, fault: true }]),
    ]),
  ]
  // Sorting is stable: what happened at one instant stays in the order of recording.
  const last = shown(
    lines.sort((left, right) => left.atUs - right.atUs),
    linesMax,
  )
  const legend = lanes.map((lane, index) => `  ${letterOf(index)} = ${lane}`)
  const head = lanes.map((_, index) => letterOf(index).padEnd(width)).join('')
  return [
    title,
    ...legend,
    `${'ms'.padStart(12)}  ${head}`,
    ...last.map((line) => draw(line, lanes, roles)),
    `${'ms'.padStart(12)}  ${head}`,
    'legend: ○ start  □ end  ✗ death  ⏸ pause  ■ durable  ! violation  ─▶ arrived  ┄× never came',
    ...(roles.length === 0
      ? []
      : ['        ┃3 leads in term 3  │3 follows  ╎3 stands for election']),
    ...(recording.operations.length === 0 ? [] : ['        ┬ call  ┴ its answer']),
  ].join('\n')
}

/**
 * The end of the run; or, where a judge blames something, what led to the last of it, with all that is
 * blamed and every fault in between.
 */
function shown(lines: readonly Line[], linesMax: number): readonly Line[] {
  const first = lines.findIndex(({ blamed }) => blamed === true)
  if (first < 0) return lines.slice(-linesMax)
  const end = lines.findLastIndex(({ blamed }) => blamed === true)
  return lines.filter(({ blamed, fault }, index) => {
    if (index > end) return fault === true && index === lines.length - 1
    return blamed === true || index > end - linesMax || (fault === true && index > first)
  })
}

function letterOf(index: number): string {
  const letter = String.fromCharCode(65 + (index % 26))
  return index < 26 ? letter : `${letter}${Math.floor(index / 26)}`
}

function draw(
  { atUs, cells, text }: Line,
  lanes: readonly string[],
  roles: readonly RoleSpan[],
): string {
  const time = (atUs / 1_000).toFixed(3).padStart(12)
  const drawn = lanes.map((lane, index) => {
    const cell = cells[index] ?? idle
    return cell === idle ? roleCell(lane, atUs, roles) : cell
  })
  return `${time}  ${drawn.join('')}${text}`.trimEnd()
}

/** Nothing happens in this lane just now. */
const idle = '│  '
const roleSigns: Readonly<Record<string, string>> = { leader: '┃', follower: '│' }

/** What the process takes itself for, and the last two digits of its term. */
function roleCell(lane: string, atUs: number, roles: readonly RoleSpan[]): string {
  const span = roles.findLast(
    (each) => each.lane === lane && each.fromUs <= atUs && (each.untilUs ?? atUs) >= atUs,
  )
  if (span === undefined) return idle
  return `${roleSigns[span.role] ?? '╎'}${span.term % 100}`.padEnd(width)
}

function laneOf(name: string | undefined, lanes: readonly string[]): number {
  if (name === undefined) return -1
  const exact = lanes.indexOf(name)
  return exact >= 0 ? exact : lanes.findIndex((lane) => lane.startsWith(`${name}/`))
}

function markLine({ kind, lane, atUs, text }: Mark, lanes: readonly string[]): Line {
  const at = laneOf(lane, lanes)
  const cells = lanes.map((_, index) => (index === at ? `${signs[kind]}  ` : '│  '))
  const label = kind === 'note' ? '' : kind === 'violation' ? 'VIOLATION ' : `${kind} `
  const fault = kind === 'kill' || kind === 'power-cut' || kind === 'pause' || kind === 'violation'
  return { atUs, cells, text: `${lane === undefined ? '' : `${lane}: `}${label}${text}`, fault }
}

/** A call and its answer; what the judge blames is said to be part of the violation. */
function operationLines(operation: DrawnOperation, lanes: readonly string[]): readonly Line[] {
  const { lane, text, fromUs, untilUs, answer, blamed } = operation
  const at = laneOf(lane, lanes)
  const line = (atUs: number, sign: string, said: string): Line => {
    const cells = lanes.map((_, index) => (index === at ? `${blamed ? '!' : sign}  ` : '│  '))
    return { atUs, cells, text: `${lane}: ${blamed ? 'VIOLATION ' : ''}${said}`, blamed }
  }
  const open = untilUs === undefined
  const call = line(fromUs, '┬', `calls ${text}${open ? ', never answered' : ''}`)
  if (open) return [call]
  return [call, line(untilUs, '┴', `${text} → ${answer ?? ''}`)]
}

function messageLine(message: Message, lanes: readonly string[]): Line {
  const { source, target, sentUs, arrivedUs, kind, sizeBytes, dropped } = message
  const from = laneOf(source, lanes)
  const to = laneOf(target, lanes)
  const came = arrivedUs !== undefined
  const dash = came ? '─' : '┄'
  const cells = lanes.map((_, index) => {
    const [low, high] = from < to ? [from, to] : [to, from]
    if (index < low || index > high || low < 0) return '│  '
    if (from === to) return came ? '↻  ' : '×  '
    if (from < to) {
      if (index === to) return `${came ? '▶' : '×'}  `
      return `${index === from ? '├' : dash}${dash}${dash}`
    }
    if (index === from) return '┤  '
    return `${index === to ? (came ? '◀' : '×') : dash}${dash}${dash}`
  })
  const sent = `sent at ${(sentUs / 1_000).toFixed(3)}`
  const end = came ? sent : `${sent}, ${dropped ?? 'still on its way'}`
  const text = `${source} to ${target}: ${kind} of ${sizeBytes} bytes, ${end}`
  return { atUs: arrivedUs ?? sentUs, cells, text }
}
