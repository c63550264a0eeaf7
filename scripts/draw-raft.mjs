/**
 * Draws docs/images/raft-*.svg for docs/raft.md: small plays, each a real run of the protocol on the stage of
 * `raft-stage.mjs`, with the same outcome every time. Build first: `npm run build && node scripts/draw-raft.mjs`.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { raftPicture } from './raft-picture.mjs'
import { stage } from './raft-stage.mjs'
import { root } from './sources.mjs'

/** Runs until somebody leads and the others have heard of it. */
function elected(play, ids) {
  const agreed = () => {
    const leader = play.leader()
    return leader !== undefined && ids.every((id) => play.status(id).leader === leader)
  }
  play.run(2_000, agreed)
  return play.leader()
}

const plays = {
  election() {
    const ids = ['a', 'b', 'c']
    const play = stage({ members: ids, seed: 4 })
    const first = elected(play, ids)
    play.run(30)
    play.propose(first, 'x')
    play.run(60)
    play.crash(first)
    elected(
      play,
      ids.filter((id) => id !== first),
    )
    play.run(40)
    play.start(first)
    play.run(120)
    return { play, title: 'An election, a crash, and the next election' }
  },
  replication() {
    const ids = ['a', 'b', 'c']
    const play = stage({ members: ids, seed: 4 })
    const leader = elected(play, ids)
    play.run(30)
    const fromMs = play.record.endMs
    for (const text of ['x', 'y', 'z']) {
      play.propose(leader, text)
      play.run(7)
    }
    play.run(45)
    play.logs('agreed')
    play.run(20)
    return {
      play,
      title: 'Three commands: on their way before the first is on any disk',
      fromMs,
      scale: 5,
    }
  },
  partition() {
    const ids = ['a', 'b', 'c', 'd', 'e']
    const play = stage({ members: ids, seed: 2 })
    const old = elected(play, ids)
    play.run(40)
    const fromMs = play.record.endMs - 20
    const [friend, ...others] = ids.filter((id) => id !== old)
    play.split([old, friend], others)
    play.propose(old, 'lost')
    play.run(60)
    const isNew = () => play.leader() !== old && others.includes(play.leader())
    play.run(1_000, isNew)
    play.run(45)
    play.propose(play.leader(), 'kept')
    play.run(60)
    play.logs('before healing')
    play.split()
    play.run(90)
    play.logs('after')
    play.run(20)
    return { play, title: 'Two of five cut off, and healed', fromMs }
  },
  'figure-8'() {
    const ids = ['a', 'b', 'c', 'd', 'e']
    const play = stage({ members: ids, seed: 3 })
    play.run(1)
    const stands = (id, others) => {
      play.run(152)
      play.split([id, ...others])
      // Who has voted in this term already votes again only in the next.
      for (let tries = 0; tries < 3 && play.leader() !== id; tries += 1) {
        play.stand(id)
        play.run(45, () => play.leader() === id)
      }
    }
    play.stand('a')
    play.run(60)
    const fromMs = play.record.endMs - 10
    play.split(['a', 'b'])
    play.propose('a', 'x')
    play.run(26)
    play.logs('(a) only b has it')
    play.crash('a')
    stands('e', ['c', 'd'])
    play.split(['e'])
    play.run(12)
    play.logs('(b) e leads, nobody hears')
    play.crash('e')
    play.start('a')
    stands('a', ['b', 'c'])
    // The answers come back from c alone: the old entry is on three of five, and must not count.
    play.split(['a', 'c'])
    play.run(40)
    play.logs('(c) on three: not committed')
    play.crash('a')
    play.start('e')
    stands('e', ['b', 'd'])
    play.run(50)
    play.logs('(d) e writes over it')
    play.run(10)
    return {
      play,
      title: 'Figure 8: why a leader counts entries of its own term only',
      fromMs,
      scale: 1.5,
    }
  },
  membership() {
    const ids = ['a', 'b', 'c']
    const play = stage({ members: ids, spares: ['d'], seed: 4 })
    const leader = elected(play, ids)
    const old = ids.find((id) => id !== leader)
    play.run(30)
    const fromMs = play.record.endMs
    play.change(leader, { kind: 'add-learner', member: 'd', address: 'd:1' })
    play.run(75)
    play.logs('d listens in')
    play.change(leader, {
      kind: 'replace',
      voters: [...ids.filter((id) => id !== old), 'd'],
      learners: [],
    })
    play.run(110)
    play.logs(`d votes, ${old} has left`)
    play.run(20)
    return { play, title: `d comes, ${old} goes: through both majorities`, fromMs, scale: 2.6 }
  },
  snapshot() {
    const ids = ['a', 'b', 'c']
    const play = stage({ members: ids, seed: 4 })
    const leader = elected(play, ids)
    const late = ids.find((id) => id !== leader)
    play.run(30)
    const fromMs = play.record.endMs
    play.crash(late)
    for (const text of ['v', 'w', 'x', 'y', 'z']) {
      play.propose(leader, text)
      play.run(8)
    }
    play.run(45)
    play.compact(leader)
    play.logs('the log begins anew')
    play.run(20)
    play.start(late)
    play.run(150)
    play.propose(leader, 'next')
    play.run(50)
    play.logs('caught up')
    play.run(15)
    return {
      play,
      title: 'A member that was away gets the state instead of the log',
      fromMs,
      scale: 2.2,
    }
  },
}

const check = process.argv.includes('--check')
let stale = 0
for (const [name, act] of Object.entries(plays)) {
  const { play, title, fromMs = 0, scale = 1.75 } = act()
  const path = join(root, `docs/images/raft-${name}.svg`)
  const svg = raftPicture(play.record, { title, fromMs, scale })
  if (!check) writeFileSync(path, svg)
  else if (readFileSync(path, 'utf8') !== svg) {
    console.error(`${path} is not what the protocol does now; run node scripts/draw-raft.mjs`)
    stale += 1
  }
}
process.exitCode = stale === 0 ? 0 : 1
