#!/usr/bin/env node
/**
 * The `holdfast` command: picks the subcommand, and turns errors into one clear line and an exit code.
 */
import process from 'node:process'
import { isHoldfastError } from '../errors.ts'
import { up, upUsage } from './up/up.ts'

const [command, ...rest] = process.argv.slice(2)
// Whoever read our lines may stop reading; what we run goes on.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

try {
  if (command === 'up') {
    await up(rest)
  } else if (command === 'simulate') {
    // Loaded only when asked for: it brings the simulator and all scenarios along.
    const { simulateCommand } = await import('./simulate/simulate.ts')
    process.exitCode = await simulateCommand(rest)
  } else if (command === 'check') {
    const { check } = await import('./check/check.ts')
    process.exitCode = check(rest)
  } else if (command === 'cluster') {
    const { clusterCommand } = await import('./cluster/cluster.ts')
    process.exitCode = await clusterCommand(rest)
  } else {
    const others = [
      'simulate FILE|NAME [options]',
      'check FILE --model NAME [options]',
      'cluster start|status|add|promote|remove|replace|transfer|snapshot|backup|restore [options]',
    ]
    process.stdout.write(
      `${upUsage}\n${others.map((one) => `\nusage: holdfast ${one}\n`).join('')}`,
    )
    process.exitCode = command === undefined || command === '--help' ? 0 : 3
  }
} catch (error) {
  process.stderr.write(`holdfast: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(isUsage(error) ? 3 : 1)
}

/** Is it the command line, the plan or the place that is wrong, so that trying again is in vain? */
function isUsage(error: unknown): boolean {
  if (isHoldfastError(error)) return error.outcome === 'invalid'
  const code = (error as { readonly code?: unknown } | null)?.code
  return typeof code === 'string' && code.startsWith('ERR_PARSE_ARGS')
}
