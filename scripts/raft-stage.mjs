/**
 * A stage for pictures of Raft: real members (the pure machine of `protocols/raft`), a network and disks with
 * plain delays, and a record of all that happened. What happens when is said by the play, see `draw-raft.mjs`.
 */
import {
  deadlineMs,
  entries,
  raft,
  snapshotMark,
  status,
  step,
  take,
} from '../dist/protocols/raft/index.js'

const diskMs = 4
const snapshotMs = 45

export function stage({ members, spares = [], seed = 1, electionMs = 150, heartbeatMs = 50 }) {
  const ids = [...members, ...spares]
  const record = {
    ids,
    arrows: [],
    roles: [],
    commits: [],
    marks: [],
    cuts: [],
    logs: [],
    endMs: 0,
  }
  const addresses = Object.fromEntries(ids.map((id) => [id, `${id}:1`]))
  const none = { outgoing: [], learners: [], retired: [] }
  const first = (voters) => ({ ...none, voters, addresses: voters.length > 0 ? addresses : {} })
  const cast = new Map()
  let nowMs = 0
  let serial = 0
  let word = seed * 7_919 + 13
  const events = []
  let apart = []

  const chance = () => {
    word = (Math.imul(word, 1_103_515_245) + 12_345) >>> 0
    return word / 2 ** 32
  }
  const at = (delayMs, act) => events.push({ atMs: nowMs + delayMs, order: ++serial, act })
  const together = (one, other) =>
    apart.length === 0 || apart.some((group) => group.includes(one) && group.includes(other))
  const isUp = (id) => cast.get(id)?.state !== undefined

  function role(actor) {
    const { role: now, term } = status(actor.state)
    const last = actor.span
    if (last?.role === now && last.term === term) return
    endRole(actor)
    actor.span = { id: actor.id, role: now, term, fromMs: nowMs, untilMs: undefined }
    record.roles.push(actor.span)
  }
  function endRole(actor) {
    if (actor.span !== undefined) actor.span.untilMs = nowMs
    actor.span = undefined
  }

  function input(id, said) {
    const actor = cast.get(id)
    if (actor?.state === undefined) return
    step(actor.state, said, nowMs)
    carryOut(actor, take(actor.state))
    role(actor)
    const life = actor.lives
    const dueMs = deadlineMs(actor.state)
    if (!(dueMs < actor.dueMs) && actor.dueMs > nowMs) return
    actor.dueMs = dueMs
    at(Math.max(0.1, dueMs - nowMs), () => {
      if (actor.lives !== life) return
      actor.dueMs = 0
      input(id, { kind: 'time' })
    })
  }

  function work(actor, act) {
    const life = actor.lives
    actor.diskFreeMs = Math.max(nowMs, actor.diskFreeMs) + diskMs
    at(actor.diskFreeMs - nowMs, () => actor.lives === life && act())
  }

  function carryOut(actor, outputs) {
    const { id, disk } = actor
    for (const message of outputs.send) send(message)
    for (const held of outputs.sendAfter) actor.held.push(held)
    const { write, install } = outputs
    if (write !== undefined) {
      work(actor, () => {
        Object.assign(disk, { term: write.term, vote: write.vote, commit: write.commit })
        disk.entries = [
          ...disk.entries.filter(({ index }) => index <= write.keepUntil),
          ...write.entries,
        ]
        for (const { ticket, message } of actor.held) if (ticket <= write.ticket) send(message)
        actor.held = actor.held.filter(({ ticket }) => ticket > write.ticket)
        input(id, { kind: 'written', ticket: write.ticket })
      })
    }
    const last = outputs.committed.at(-1)
    if (last !== undefined) {
      actor.applied = last.index
      record.commits.push({ id, atMs: nowMs, index: last.index })
    }
    for (const { to, term } of outputs.sendSnapshot) sendSnapshot(actor, to, term)
    if (install !== undefined) {
      work(actor, () => {
        disk.snapshot = install
        disk.entries = disk.entries.filter(({ index }) => index > install.index)
        actor.applied = install.index
        record.marks.push({
          id,
          atMs: nowMs,
          kind: 'installed',
          text: `state up to ${install.index}`,
        })
        input(id, { kind: 'installed', index: install.index })
      })
    }
    for (const { id: what, reason } of outputs.refused) {
      record.marks.push({ id, atMs: nowMs, kind: 'refused', text: `${what}: ${reason}` })
    }
  }

  function fly(arrow, delayMs, arrived) {
    const flight = { ...arrow, sentMs: nowMs, arrivedMs: undefined }
    record.arrows.push(flight)
    at(delayMs, () => {
      const came = isUp(flight.to) && together(flight.from, flight.to)
      if (came) flight.arrivedMs = nowMs
      else flight.lostMs = nowMs
      arrived(came)
    })
  }

  function send(message) {
    const delayMs = 9 + 5 * chance()
    fly({ from: message.from, to: message.to, ...wordsOf(message) }, delayMs, (came) => {
      if (came) input(message.to, { kind: 'message', message })
    })
  }

  function sendSnapshot(actor, to, term) {
    const mark = actor.disk.snapshot
    const text = `snapshot up to ${mark.index}`
    fly({ from: actor.id, to, text, kind: 'snapshot' }, snapshotMs, (came) => {
      if (came) input(to, { kind: 'snapshot-received', from: actor.id, term, mark })
      input(actor.id, { kind: 'snapshot-sent', to, index: mark.index, arrived: came })
    })
  }

  const self = {
    record,
    status: (id) => status(cast.get(id).state),
    leader: () =>
      ids
        .filter(isUp)
        .map((id) => status(cast.get(id).state))
        .filter(({ role: now }) => now === 'leader')
        .sort((one, other) => other.term - one.term)[0]?.id,
    start(id) {
      const actor = cast.get(id) ?? {
        ...{ id, lives: 0, applied: 0 },
        disk: {
          ...{ term: 0, vote: undefined, commit: 0, entries: [] },
          snapshot: {
            index: 0,
            term: 0,
            configuration: first(members.includes(id) ? members : []),
          },
        },
      }
      cast.set(id, actor)
      actor.lives += 1
      Object.assign(actor, { held: [], diskFreeMs: nowMs, dueMs: 0 })
      const options = {
        id,
        seed: seed * 100 + ids.indexOf(id) + actor.lives,
        electionMs,
        heartbeatMs,
      }
      actor.state = raft(options, structuredClone(actor.disk), nowMs)
      record.marks.push({ id, atMs: nowMs, kind: 'start', text: 'starts' })
      input(id, { kind: 'time' })
    },
    crash(id) {
      const actor = cast.get(id)
      endRole(actor)
      actor.lives += 1
      actor.state = undefined
      record.marks.push({ id, atMs: nowMs, kind: 'crash', text: 'crashes' })
    },
    propose(id, text) {
      record.marks.push({ id, atMs: nowMs, kind: 'propose', text: `propose ${text}` })
      input(id, { kind: 'propose', id: `p${++serial}`, commands: [new TextEncoder().encode(text)] })
    },
    stand: (id) => input(id, { kind: 'campaign' }),
    change(id, change) {
      const { kind, member = '' } = change
      record.marks.push({ id, atMs: nowMs, kind: 'change', text: `${kind} ${member}`.trim() })
      input(id, { kind: 'change', id: `c${++serial}`, change })
    },
    compact(id, keep = 0) {
      const actor = cast.get(id)
      const mark = snapshotMark(actor.state, actor.applied)
      actor.disk.snapshot = mark
      actor.disk.entries = actor.disk.entries.filter(({ index }) => index > mark.index)
      record.marks.push({ id, atMs: nowMs, kind: 'snapshot', text: `snapshot at ${mark.index}` })
      input(id, { kind: 'compact', mark, keepFrom: mark.index + 1 - keep })
    },
    /** Who can hear whom; nothing said: everybody. */
    split(...groups) {
      const open = record.cuts.at(-1)
      if (open !== undefined) open.untilMs ??= nowMs
      apart = groups
      if (groups.length > 0) record.cuts.push({ groups, fromMs: nowMs, untilMs: undefined })
    },
    /** Keeps what every log holds now for the margin of the picture. */
    logs(title) {
      const rows = ids
        .filter((id) => cast.has(id))
        .map((id) => ({ id, up: isUp(id), ...logOf(cast.get(id)) }))
      record.logs.push({ atMs: nowMs, title, rows })
    },
    run(forMs, done = () => false) {
      const untilMs = nowMs + forMs
      while (!done()) {
        const next = events.reduce(
          (least, event) =>
            least === undefined ||
            event.atMs < least.atMs ||
            (event.atMs === least.atMs && event.order < least.order)
              ? event
              : least,
          undefined,
        )
        if (next === undefined || next.atMs > untilMs) {
          nowMs = untilMs
          break
        }
        events.splice(events.indexOf(next), 1)
        nowMs = next.atMs
        next.act()
      }
      record.endMs = nowMs
      return self
    },
  }
  for (const id of ids) self.start(id)
  return self

  function logOf({ state, disk }) {
    const from = disk.snapshot.index
    const held =
      state === undefined ? disk.entries : entries(state, from + 1, status(state).lastIndex)
    const committed = state === undefined ? disk.commit : status(state).commit
    return {
      from,
      committed,
      entries: held.map(({ index, term, kind }) => ({ index, term, kind })),
    }
  }
}

function wordsOf(message) {
  switch (message.kind) {
    case 'vote':
      return {
        kind: message.pre ? 'pre' : 'vote',
        text: message.pre ? 'would you?' : `vote? ${message.term}`,
      }
    case 'vote-reply':
      return { kind: message.pre ? 'pre' : 'vote', text: message.granted ? 'yes' : 'no' }
    case 'append': {
      const indexes = message.entries.map(({ index }) => index)
      if (indexes.length === 0) return { kind: 'quiet', text: '' }
      const range = indexes.length === 1 ? indexes[0] : `${indexes[0]}–${indexes.at(-1)}`
      return { kind: 'append', text: `entries ${range}` }
    }
    case 'append-reply':
      return { kind: 'reply', text: message.accepted ? '' : 'no' }
    case 'timeout-now':
      return { kind: 'vote', text: 'stand now' }
    default:
      return { kind: 'quiet', text: '' }
  }
}
