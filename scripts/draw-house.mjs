/**
 * Draws the picture of the house, `docs/images/house.svg`, from the floors listed here.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './sources.mjs'

const floors = [
  [
    'roots',
    [
      ['index', 'front door'],
      ['cli', 'up'],
      ['testing', 'simulate()'],
      ['console', 'the page'],
    ],
  ],
  [
    'features',
    [
      ['coordination', 'agree'],
      ['messaging', 'send'],
      ['services', 'call'],
      ['data', 'store'],
      ['transactions', 'commit'],
      ['compute', 'work'],
    ],
  ],
  [
    'kernels',
    [
      ['lease', 'an exclusive right'],
      ['decision', 'a final answer'],
      ['position', 'a place in history'],
    ],
  ],
  [
    'ports',
    [
      ['LeaseStore', ''],
      ['Registry', ''],
      ['RecordStore', ''],
      ['WorkStore', ''],
      ['SqlDatabase', ''],
    ],
  ],
  [
    'drivers',
    [
      ['embedded', 'one file'],
      ['cluster', 'our Raft'],
      ['redis · postgres · etcd · …', 'real engines'],
    ],
  ],
  [
    'runtime',
    [
      ['clock · timers', ''],
      ['network', ''],
      ['disk', ''],
      ['SQL', ''],
      ['chance', ''],
    ],
  ],
  [
    'the world',
    [
      ['runtime/node', 'the real one'],
      ['simulation', 'the same from a seed'],
    ],
  ],
]
const planned = new Set(['data', 'compute', 'redis · postgres · etcd · …'])

const width = 920
const label = 130
const height = 58
const gap = 8
const rooms = floors.flatMap(([name, cells], row) => {
  const y = 10 + row * (height + gap)
  const cell = (width - label - gap * (cells.length - 1)) / cells.length
  return [
    `<text class="floor" x="0" y="${y + height / 2 + 5}">${name}</text>`,
    ...cells.map(([title, note], column) => {
      const x = label + column * (cell + gap)
      const kind = planned.has(title) ? 'planned' : 'built'
      const middle = x + cell / 2
      const lines =
        note === ''
          ? `<text x="${middle}" y="${y + height / 2 + 5}">${title}</text>`
          : `<text x="${middle}" y="${y + 25}">${title}</text><text class="note" x="${middle}" y="${y + 43}">${note}</text>`
      return `<rect class="${kind}" x="${x}" y="${y}" width="${cell}" height="${height}" rx="7"/>${lines}`
    }),
  ]
})

const total = 10 + floors.length * (height + gap) + 26
const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="-10 0 ${width + 20} ${total}" role="img" aria-label="The house of Holdfast: composition roots, features, kernels, ports, drivers, runtime and the world">
<style>
  rect { fill: #eaf2fb; stroke: #2b7fd0; stroke-width: 1.2 }
  rect.planned { fill: none; stroke-dasharray: 5 4; stroke: #8a97a5 }
  text { font: 13px system-ui, sans-serif; text-anchor: middle; fill: #17212b }
  text.note { font-size: 11px; fill: #5c6b7a }
  text.floor { text-anchor: start; font-weight: 600 }
  @media (prefers-color-scheme: dark) { rect { fill: #16283b; stroke: #4b9fe8 } text { fill: #e4ebf2 } text.note { fill: #93a3b3 } }
</style>
${rooms.join('\n')}
<text class="note" x="${width / 2}" y="${total - 8}">each floor may use those below it; dashed rooms are not built yet; verification stands apart and imports nothing</text>
</svg>
`
writeFileSync(join(root, 'docs/images/house.svg'), svg)
