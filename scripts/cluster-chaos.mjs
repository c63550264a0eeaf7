/**
 * Three members in three processes on this machine, killed, stopped and cut off while clients work, and judged:
 *
 *   node scripts/cluster-chaos.mjs [--minutes 10 | --seconds N] [--seed N] [--election-ms 1000]
 *        [--blows 'kill the leader,kill all'] [--answers-early]
 *        [--html FILE] [--svg FILE] [--json] [--quiet]
 *
 * Prints how long nobody could write after each loss of a leader, and the verdict; ends with 1 unless every
 * record and counter is linearizable. `--answers-early` plants a bug: members that answer before their disk
 * has it. The seed decides the blows and the clients' choices; what real processes make of them, it does not.
 */
import { writeFileSync } from 'node:fs'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { chaos, spread } from '../tests/cluster/chaos.mjs'
import { asPage, asPicture, asText } from '../tests/cluster/drawing.mjs'

const { values: args } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seconds: { type: 'string' },
    seed: { type: 'string', default: '1' },
    'election-ms': { type: 'string', default: '1000' },
    blows: { type: 'string' },
    html: { type: 'string' },
    svg: { type: 'string' },
    'answers-early': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    quiet: { type: 'boolean', default: false },
  },
})

const result = await chaos({
  seconds: args.seconds === undefined ? 60 * Number(args.minutes) : Number(args.seconds),
  seed: Number(args.seed),
  electionMs: Number(args['election-ms']),
  only: args.blows?.split(','),
  answersEarly: args['answers-early'],
  log: args.quiet ? () => {} : (text) => console.error(text),
})
const { failovers, evidence, ...facts } = result
const kinds = [...new Set(failovers.map(({ kind }) => kind))].sort()
const timesOf = (wanted) =>
  failovers.filter(({ kind }) => kind === wanted).map(({ tookMs }) => tookMs)
const spreads = Object.fromEntries(kinds.map((kind) => [kind, spread(timesOf(kind))]))

if (args.html !== undefined) writeFileSync(args.html, asPage(facts, spreads, timesOf))
if (args.svg !== undefined) writeFileSync(args.svg, asPicture(spreads, timesOf))
if (args.json) console.log(JSON.stringify({ ...facts, spreads }))
else {
  console.log(JSON.stringify(facts, null, 2))
  for (const kind of kinds) console.log(asText(kind, spreads[kind], timesOf(kind)))
  for (const line of evidence ?? []) console.log(line)
}
process.exitCode = result.verdict === 'ok' ? 0 : 1
