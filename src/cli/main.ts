#!/usr/bin/env node
/**
 * The `holdfast` command: picks the subcommand, and turns errors into one clear line and an exit code.
 */
import process from 'node:process'
import { isHoldfastError } from '../errors.ts'
import { up, upUsage } from './up/up.ts'

const [command, ...rest] = process.argv.slice(2)

try {
  if (command === 'up') {
    await up(rest)
  } else {
    process.stdout.write(`${upUsage}\n`)
    process.exitCode = command === undefined || command === '--help' ? 0 : 3
  }
} catch (error) {
  process.stderr.write(`holdfast: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(isHoldfastError(error) && error.outcome === 'invalid' ? 3 : 1)
}
