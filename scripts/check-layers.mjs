/**
 * Who may import whom. The table is the one in docs/architecture.md; a file that reaches past its
 * area's row is refused, with the row in the message.
 */
import { finish, importsOf, isTest, sourceFiles } from './sources.mjs'

const features = ['coordination', 'messaging', 'services', 'data', 'transactions', 'compute']
const kernels = ['errors', 'runtime', 'observability', 'ports', 'protocols', 'hosts', 'resilience']
const anything = ['*']

const table = {
  errors: [],
  verification: [],
  runtime: ['errors'],
  observability: ['errors', 'runtime'],
  simulation: ['errors', 'runtime'],
  ports: ['errors', 'runtime:types', 'observability:types'],
  protocols: ['errors', 'runtime:types'],
  hosts: ['errors', 'runtime', 'observability', 'protocols'],
  resilience: ['errors', 'runtime', 'observability', 'ports'],
  kernels,
  drivers: ['errors', 'runtime', 'observability', 'ports', 'protocols', 'hosts', 'resilience'],
  index: [...kernels, 'kernels', ...features, 'drivers', 'composition'],
  composition: [...kernels, 'kernels', ...features, 'drivers'],
  console: ['errors', 'runtime', 'observability'],
  testing: anything,
  cli: anything,
}
features.forEach((feature, index) => {
  table[feature] = [...kernels, 'kernels', ...features.slice(0, index)]
})

/** Folders that may touch the real machine: Node modules, real time, real chance. */
const machine = [
  /^src\/runtime\/node\//,
  /^src\/simulation\/node\//,
  /^src\/cli\//,
  /^src\/console\/server\//,
  /^src\/testing\//,
]
/** Packages that an area depends on: see docs/decisions/0008-noble-cryptography.md. */
const packages = [[/^src\/hosts\/seal\//, /^@noble\//]]
const foreignEngines = /^src\/drivers\/(?!embedded\/|cluster\/)/

const areaOf = (path) =>
  path
    .replace(/^src\//, '')
    .split('/')[0]
    .replace(/\.ts$/, '')

function problemsOf(path) {
  const area = areaOf(path)
  const allowed = table[area]
  if (allowed === undefined)
    return [`${path}: area "${area}" has no row in scripts/check-layers.mjs`]
  return importsOf(path).flatMap(({ target, typeOnly, line }) => {
    const where = `${path}:${line}`
    if (!target.startsWith('src/')) return outside(path, where, target)
    if (isTest(path) || allowed.includes('*')) return []
    const targetArea = areaOf(target)
    if (targetArea === area) return sameArea(path, where, target)
    if (
      target.includes('runtime/node/') &&
      area !== 'composition' &&
      !path.startsWith('src/simulation/node/')
    ) {
      return [`${where}: only the front door and composition roots may import runtime/node`]
    }
    if (allowed.includes(targetArea)) return []
    if (allowed.includes(`${targetArea}:types`)) {
      if (typeOnly) return []
      return [`${where}: ${area} may import only types of ${targetArea}; use "import type"`]
    }
    return [
      `${where}: ${area} may not import ${targetArea}; it may import: ${allowed.join(', ') || 'nothing'}`,
    ]
  })
}

function sameArea(path, where, target) {
  if (!path.startsWith('src/drivers/')) return []
  const [own, other] = [path, target].map((file) => file.split('/')[2])
  return own === other ? [] : [`${where}: driver ${own} may not import driver ${other}`]
}

function outside(path, where, target) {
  if (isTest(path) || machine.some((folder) => folder.test(path)) || foreignEngines.test(path))
    return []
  if (path.startsWith('src/console/page/') && !target.startsWith('node:')) return []
  if (target.startsWith('node:'))
    return [`${where}: ${target} is reached through Runtime, not directly`]
  if (packages.some(([folder, name]) => folder.test(path) && name.test(target))) return []
  return [`${where}: "${target}" is not a dependency of this area; declare the part you use`]
}

const publicOnly = sourceFiles('examples', 'bench').flatMap((path) =>
  importsOf(path)
    .filter(({ target }) => target.startsWith('src/') || target.startsWith('dist/'))
    .map(
      ({ line, target }) =>
        `${path}:${line}: ${target} is inside; import 'holdfast/…' as a user would`,
    ),
)

finish('layers', [...sourceFiles('src').flatMap(problemsOf), ...publicOnly])
