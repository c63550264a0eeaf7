/**
 * The machine's two clocks. The monotonic one is CLOCK_MONOTONIC on Linux (and its like elsewhere):
 * it counts from the boot, so all processes of the machine read the same one.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { hostname, uptime } from 'node:os'
import type { Clock } from '../clock.ts'

export function nodeClock(): Clock {
  return { wallMs: () => Date.now(), monotonicMs, bootId: bootId() }
}

export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

let known: string | undefined

/**
 * Names this boot. Linux and macOS have a name for it. Elsewhere it is made from the wall time of the
 * boot, to the minute: a step of the wall clock then looks like another boot, and what was counted
 * under the old id is treated as of unknown age.
 */
export function bootId(): string {
  known ??= readBootId()
  return known
}

function readBootId(): string {
  try {
    if (process.platform === 'linux') {
      return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    }
    if (process.platform === 'darwin') {
      return execFileSync('/usr/sbin/sysctl', ['-n', 'kern.bootsessionuuid'], {
        encoding: 'utf8',
      }).trim()
    }
  } catch {
    // No /proc, no sysctl: a sandbox. The next best follows.
  }
  return `${hostname()}-${Math.round((Date.now() - uptime() * 1_000) / 60_000)}`
}
