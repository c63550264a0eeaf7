/**
 * The atlas of rot keeps bad luck survivable: of each sector of each file, a minority of the machines
 * that have it may be rotten at once. A file that only one machine has never rots: nobody could mend it.
 */
import type { Draws } from './chance.ts'
import type { MayRot } from './disk.ts'
import { sectorBytes } from './disk-file.ts'
import type { SimulatedMachine } from './machine.ts'

export interface FaultAtlas {
  /** Lets one sector rot somewhere. @returns where; `undefined` if none may. */
  rot(machines: readonly SimulatedMachine[], draws: Draws): string | undefined
}

export function faultAtlas(): FaultAtlas {
  // What once rotted counts as rotten for the whole run, mended or not: rather too few than too many.
  const rotten = new Map<string, Set<string>>()
  return {
    rot(machines, draws) {
      for (let attempt = 0; attempt < 8 && machines.length > 0; attempt++) {
        const machine = draws.pick(machines)
        const mayRot: MayRot = (path, sector) => {
          const bad = rotten.get(`${path} ${sector}`) ?? new Set()
          const holders = machines.filter(({ holds }) => holds(path, sector * sectorBytes + 1))
          return !bad.has(machine.name) && bad.size + 1 <= (holders.length - 1) / 2
        }
        const where = machine.rot(draws, mayRot)
        if (where === undefined) continue
        const key = where.replace(' sector ', ' ')
        rotten.set(key, (rotten.get(key) ?? new Set()).add(machine.name))
        return `${machine.name} ${where}`
      }
      return undefined
    },
  }
}
