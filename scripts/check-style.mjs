/**
 * The rules of style that a machine can see: size of files and functions, real time and chance outside
 * the runtime, purity of protocols and judges, types given up, things left for later. Each message
 * names what to do instead.
 */
import ts from 'typescript'
import { finish, isTest, parse, read, sourceFiles } from './sources.mjs'

const linesMax = 400
/** A function's own lines: those of functions inside it count for themselves. */
const functionLinesMax = 70
/** A factory of closures, all lines: past this it holds more than one idea. */
const factoryLinesMax = 200
const medianMax = 150

const machine =
  /^src\/(runtime\/node|simulation\/node|console\/server|console\/page|cli|testing)\/|\.live\.test\.ts$/
const pure = /^src\/(protocols|verification)\//

const realTime = [
  [/\bDate\.now\(|\bnew Date\(\)/, 'runtime.clock'],
  [/\bset(Timeout|Interval|Immediate)\(|AbortSignal\.timeout\(/, 'runtime.timers or sleep()'],
  [/\bMath\.random\(|\bcrypto\.(random|getRandom)/, 'runtime.random'],
  [/\bperformance\.now\(/, 'runtime.clock.monotonicMs()'],
]
const everywhere = [
  [/: any\b(?! \?)|<any>|\bas any\b|\bany\[\]/, 'a type; `unknown` where nothing is known'],
  [/@ts-(ignore|expect-error|nocheck)/, 'a type that holds'],
  [/\b(TODO|FIXME|XXX|HACK)\b/, 'the work itself, or an issue'],
  [/\.(only)\(/, 'a run of the whole suite'],
]

const isFunction = (node) => ts.isFunctionLike(node) && node.body !== undefined

const isComment = (line) => /^\s*(\/\/|\*|\/\*)/.test(line)

function lineProblems(path) {
  const rules = [...everywhere]
  if (path.startsWith('src/') && !machine.test(path)) rules.push(...realTime)
  if (pure.test(path) && !isTest(path)) {
    rules.push([/\basync\b|\bawait\b|new Promise/, 'a pure, synchronous function'])
  }
  return read(path)
    .split('\n')
    .flatMap((line, index) =>
      isComment(line)
        ? []
        : rules
            .filter(([pattern]) => pattern.test(line))
            .map(([, instead]) => `${path}:${index + 1}: use ${instead}\n    ${line.trim()}`),
    )
}

function sizeProblems(path) {
  const problems = []
  const lines = read(path).split('\n').length
  if (lines > linesMax) problems.push(`${path}: ${lines} lines; split by idea, at most ${linesMax}`)
  const file = parse(path)
  const lineAt = (position) => file.getLineAndCharacterOfPosition(position).line + 1
  const linesOf = (node) => lineAt(node.end) - lineAt(node.getStart()) + 1
  const nestedLines = (node) => {
    let lines = 0
    ts.forEachChild(node, (child) => {
      lines += isFunction(child) && linesOf(child) > 1 ? linesOf(child) : nestedLines(child)
    })
    return lines
  }
  const visit = (node) => {
    if (isFunction(node) && !isTest(path)) {
      const whole = linesOf(node)
      const own = whole - nestedLines(node)
      const where = `${path}:${lineAt(node.getStart())}`
      if (own > functionLinesMax) {
        problems.push(`${where}: ${own} own lines; at most ${functionLinesMax} in a function`)
      }
      if (whole > factoryLinesMax) {
        problems.push(`${where}: ${whole} lines; split by idea, at most ${factoryLinesMax}`)
      }
    }
    ts.forEachChild(node, visit)
  }
  visit(file)
  return problems
}

function openingProblems(path) {
  if (isTest(path) || /\/index\.tsx?$/.test(path) || path.startsWith('tests/')) return []
  return /^(#!.*\n)?\/\*\*/.test(read(path))
    ? []
    : [`${path}: open the file with its intuition in a comment`]
}

const sources = sourceFiles('src', 'examples', 'tests')
const production = sources.filter((path) => path.startsWith('src/') && !isTest(path))
const sizes = production.map((path) => read(path).split('\n').length).sort((a, b) => a - b)
const median = sizes[Math.floor(sizes.length / 2)] ?? 0

finish('style', [
  ...sources.flatMap(lineProblems),
  ...sources.flatMap(sizeProblems),
  ...production.flatMap(openingProblems),
  ...(median > medianMax ? [`median file has ${median} lines; at most ${medianMax}`] : []),
])
