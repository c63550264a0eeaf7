/**
 * The steps of CI in order, with the time each took. Ends with `N passed, N failed`: tests where a step
 * counts them, otherwise the step itself.
 */
import { spawn } from 'node:child_process'
import process from 'node:process'
import { root } from './sources.mjs'

const npx = (...command) => ['npx', '--no-install', ...command]
const node = (...command) => [process.execPath, ...command]

const steps = [
  ['layers', node('scripts/check-layers.mjs')],
  ['style', node('scripts/check-style.mjs')],
  ['negative controls of the checks', node('scripts/check-the-checks.mjs')],
  ['lint and format', npx('biome', 'check', '.')],
  ['types', ['npm', 'run', '--silent', 'typecheck']],
  ['build', node('scripts/build.mjs')],
  ['exports', node('scripts/generate-exports.mjs', '--check')],
  ['tests', ['npm', 'test', '--silent']],
  ['planted bugs', node('scripts/mutate.mjs', '--fast', '--seeds', '60', '--no-clean')],
  ...freshSeeds(),
  ['live tests', ['npm', 'run', '--silent', 'test:live']],
  [
    'shop under kills',
    node(
      'build/shop/load/chaos.js',
      '--kills',
      '25',
      '--shop-kills',
      '1',
      '--pauses',
      '1',
      '--rate',
      '15',
    ),
  ],
  [
    'shop with a planted bug',
    node(
      'build/shop/load/chaos.js',
      '--kills',
      '12',
      '--shop-kills',
      '0',
      '--pauses',
      '0',
      '--rate',
      '15',
      '--expect-broken',
    ),
    { HOLDFAST_SHOP_BUG: 'lost-compensation' },
  ],
]

/** Every run looks where none has looked before; the seed is printed, so that a find can be replayed. */
function freshSeeds() {
  const first = String(Math.floor(Date.now() / 1_000) % 1_000_000_000)
  const budget = {
    cluster: 12,
    decision: 40,
    idempotency: 40,
    lease: 40,
    lock: 40,
    paxos: 40,
    queue: 40,
    raft: 60,
    registry: 20,
    rpc: 40,
    saga: 40,
    work: 20,
  }
  const simulate = (what, seeds) =>
    node('dist/cli/main.js', 'simulate', what, '--seeds', String(seeds), '--seed', first)
  return [
    ...Object.entries(budget).map(([name, seeds]) => [
      `fresh seeds: ${name}`,
      simulate(name, seeds),
    ]),
    ['fresh seeds: shop', simulate('shop', 15)],
  ]
}

function run(command, environment) {
  const [file, ...parameters] = command
  return new Promise((resolve) => {
    let output = ''
    const child = spawn(file, parameters, {
      cwd: root,
      env: { ...process.env, NO_COLOR: '1', ...environment },
    })
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text
        process.stdout.write(text)
      })
    }
    child.once('close', (code) => resolve({ code, output }))
  })
}

/** Tests counted by the runner's closing line, else the step itself. */
function counts({ code, output }) {
  const [, line] = /^\s*Tests\s+(.+)$/m.exec(output) ?? []
  const number = (word) => Number(new RegExp(`(\\d+) ${word}`).exec(line ?? '')?.[1] ?? 0)
  const passed = number('passed')
  const failed = number('failed')
  if (line === undefined) return code === 0 ? [1, 0] : [0, 1]
  return [passed, code !== 0 && failed === 0 ? 1 : failed]
}

let passed = 0
let failed = 0
const summary = []
for (const [name, command, environment = {}] of steps) {
  console.log(`\n── ${name} ${JSON.stringify(environment)}`)
  const startedAt = Date.now()
  const [good, bad] = counts(await run(command, environment))
  passed += good
  failed += bad
  const seconds = ((Date.now() - startedAt) / 1_000).toFixed(1)
  summary.push(`${bad === 0 ? 'ok    ' : 'FAILED'} ${seconds.padStart(7)} s  ${name}`)
}
console.log(`\n${summary.join('\n')}\n${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
