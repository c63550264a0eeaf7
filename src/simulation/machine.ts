/**
 * A machine is what its processes share and what outlives them: clocks, disk, SQL files, an address.
 * A power cut ends all of its processes at once and takes what was not synced.
 */
import type { Disk } from '../runtime/disk.ts'
import type { Network } from '../runtime/network.ts'
import type { SqlEngine } from '../runtime/sql.ts'
import type { Draws } from './chance.ts'
import type { Core } from './core.ts'
import { type MayRot, machineDisk } from './disk.ts'
import type { Incarnation } from './incarnation.ts'
import { type MachineClock, machineClock } from './machine-clock.ts'
import type { Fabric } from './network.ts'
import type { SimulatedProcess } from './process.ts'
import { sqlDisk } from './sql.ts'

export interface SimulatedMachine {
  readonly name: string
  readonly clock: MachineClock
  readonly processes: Map<string, SimulatedProcess>
  /** Those that start with the machine, once it has power again. */
  readonly interrupted: Set<SimulatedProcess>
  isUp(): boolean
  network(owner: Incarnation): Network
  disk(owner: Incarnation): Disk
  sql(owner: Incarnation): SqlEngine
  /** Power cut. `torn`: sectors being written tear in the middle. `lost`: the disk is gone too. */
  crash(options?: { readonly torn?: boolean; readonly lost?: boolean }): void
  hasLostDisk(): boolean
  restart(): void
  /** Flips a bit of a synced sector, if one may rot. @returns what rotted. */
  rot(draws: Draws, mayRot: MayRot): string | undefined
  /** Does a file of this path have so many bytes? */
  holds(path: string, sizeBytes: number): boolean
  /** The world is over. */
  close(): void
}

export function simulatedMachine(core: Core, fabric: Fabric, name: string): SimulatedMachine {
  const clock = machineClock(core, name)
  const disk = machineDisk(core, name)
  const sql = sqlDisk(core, name)
  const processes = new Map<string, SimulatedProcess>()
  let up = true
  let lost = false
  const interrupted = new Set<SimulatedProcess>()
  return {
    name,
    clock,
    processes,
    isUp: () => up,
    interrupted,
    network: (owner) => fabric.network(owner, name),
    disk: (owner) => disk.disk(owner),
    sql: (owner) => sql.engine(owner),
    hasLostDisk: () => lost,
    rot: (draws, mayRot) => disk.rot(draws, mayRot),
    holds: (path, sizeBytes) => disk.holds(path, sizeBytes),
    crash(options = {}) {
      if (!up) return
      up = false
      for (const process of processes.values()) {
        if (!process.alive()) continue
        interrupted.add(process)
        process.end('power-cut')
      }
      disk.crash(options.torn ?? false)
      sql.crash()
      if (options.lost !== true) return
      lost = true
      disk.lose()
      sql.close()
    },
    restart() {
      if (up) return
      up = true
      clock.boot()
      for (const process of interrupted) process.start()
      interrupted.clear()
      for (const mended of core.weather.onMended) mended()
    },
    close: () => sql.close(),
  }
}
