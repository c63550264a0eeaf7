/**
 * The source files of the repository, and their imports, for the checks beside this file.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))

/**
 * Paths of TypeScript files below the folders, relative to the root, sorted. Files named on the command
 * line narrow the list to themselves.
 */
export function sourceFiles(...folders) {
  const named = process.argv.slice(2)
  if (named.length > 0) {
    return named.filter((path) => folders.some((folder) => path.startsWith(`${folder}/`)))
  }
  return folders
    .flatMap((folder) => entries(join(root, folder)))
    .map((path) => relative(root, path))
    .filter((path) => /\.tsx?$/.test(path))
    .sort()
}

function entries(folder) {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.parentPath.includes('node_modules'))
      .map((entry) => join(entry.parentPath, entry.name))
  } catch {
    return []
  }
}

export const isTest = (path) => /\.(test|sim|bench)\.tsx?$/.test(path) || path.startsWith('tests/')

export const read = (path) => readFileSync(join(root, path), 'utf8')

export function parse(path) {
  const kind = path.endsWith('x') ? ts.ScriptKind.TSX : ts.ScriptKind.TS
  return ts.createSourceFile(path, read(path), ts.ScriptTarget.Latest, true, kind)
}

/** Every import of a file: what is named, whether only types, and the line. */
export function importsOf(path) {
  const file = parse(path)
  const found = []
  const add = (node, specifier, typeOnly) => {
    const line = file.getLineAndCharacterOfPosition(node.getStart()).line + 1
    const target = specifier.startsWith('.')
      ? relative(root, resolve(root, dirname(path), specifier))
      : specifier
    found.push({ specifier, target, typeOnly, line })
  }
  const visit = (node) => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
      if (node.moduleSpecifier) add(node, node.moduleSpecifier.text, isTypeOnly(node))
    } else if (
      ts.isCallExpression(node) &&
      node.expression.kind === ts.SyntaxKind.ImportKeyword &&
      node.arguments[0] &&
      ts.isStringLiteralLike(node.arguments[0])
    ) {
      add(node, node.arguments[0].text, false)
    }
    ts.forEachChild(node, visit)
  }
  visit(file)
  return found
}

function isTypeOnly(node) {
  if (ts.isExportDeclaration(node)) return node.isTypeOnly
  const clause = node.importClause
  if (!clause) return false
  if (clause.isTypeOnly) return true
  const { namedBindings } = clause
  return (
    !clause.name &&
    namedBindings !== undefined &&
    ts.isNamedImports(namedBindings) &&
    namedBindings.elements.length > 0 &&
    namedBindings.elements.every((element) => element.isTypeOnly)
  )
}

/** Prints what is wrong and leaves with 1, or says that all is well. */
export function finish(title, problems) {
  for (const problem of problems) console.error(problem)
  console.log(`${title}: ${problems.length === 0 ? 'ok' : `${problems.length} problems`}`)
  process.exitCode = problems.length === 0 ? 0 : 1
}
