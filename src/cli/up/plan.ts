/**
 * A plan says what `holdfast up` keeps alive: services, how many instances of each, and how to start
 * one. It is plain data exported as `plan` by a JavaScript module.
 */
import { InvalidArgumentError } from '../../errors.ts'
import { requireInteger, requireText } from '../../ports/arguments.ts'

export interface Plan {
  /** What the whole is called, for people. */
  readonly name: string
  /** Started in this order, stopped in the reverse order: name what others need first. */
  readonly services: readonly ServicePlan[]
  /**
   * The service whose instances answer HTTP. Requests that `holdfast up` does not answer itself are
   * passed to one of them. An instance tells its HTTP address when it reports ready.
   */
  readonly front: string
  /**
   * Drivers that can be chosen with `--leases`, `--registry` and `--records` beside `embedded`, by name, and the
   * services that each of them needs. These run only if their driver is chosen; they start before all others
   * and stop after them.
   */
  readonly drivers?: Readonly<Record<string, readonly ServicePlan[]>>
}

/** Ports whose driver can be chosen when a plan is brought up. */
export const chosenPorts = ['leases', 'registry', 'records'] as const

/** The name of the driver behind each port. */
export type DriverNames = Readonly<Record<(typeof chosenPorts)[number], string>>

/** The driver that every plan has. */
export const defaultDriver: string = 'embedded'

export interface ServicePlan {
  /** Lower-case letters, digits and dashes; instances are called `name-1`, `name-2`, … */
  readonly name: string
  /** The JavaScript file that runs one instance; it calls `serviceProcess` from `holdfast/cli`. */
  readonly entry: string
  /** 1 to 100. */
  readonly instances: number
}

/** The plan with the services that the chosen drivers need. @throws {InvalidArgumentError} */
export function withDrivers(plan: Plan, names: DriverNames): Plan {
  const { drivers = {} } = plan
  const known = [defaultDriver, ...Object.keys(drivers)]
  for (const port of chosenPorts) {
    if (known.includes(names[port])) continue
    throw new InvalidArgumentError(
      `--${port} is "${names[port]}"; plan "${plan.name}" offers ${known.join(', ')}`,
    )
  }
  const chosen = [...new Set(chosenPorts.map((port) => names[port]))]
  const needed = chosen.flatMap((name) => (Object.hasOwn(drivers, name) ? drivers[name] : []) ?? [])
  return { ...plan, services: [...needed, ...plan.services] }
}

/** Checks a plan and applies `--instances order=3,inventory=1`. @throws {InvalidArgumentError} */
export function checkedPlan(plan: Plan, instances: string | undefined): Plan {
  requireText('plan name', plan.name, 100)
  if (!Array.isArray(plan.services) || plan.services.length === 0) {
    throw new InvalidArgumentError(`plan "${plan.name}" has no services`)
  }
  const wanted = parseInstances(instances)
  const names = new Set(plan.services.map(({ name }) => name))
  for (const name of [...wanted.keys(), plan.front]) {
    if (names.has(name)) continue
    throw new InvalidArgumentError(
      `service "${name}" is not in the plan; it has ${[...names].join(', ')}`,
    )
  }
  if (names.size < plan.services.length) {
    throw new InvalidArgumentError(`plan "${plan.name}" names a service twice`)
  }
  const services = plan.services.map((service) => {
    if (!/^[a-z][a-z0-9-]{0,39}$/.test(service.name)) {
      throw new InvalidArgumentError(
        `service name "${service.name}" is not valid; expected lower-case letters, digits and dashes`,
      )
    }
    const count = wanted.get(service.name) ?? service.instances
    requireInteger(`instances of ${service.name}`, count, 1, 100)
    return { ...service, instances: count }
  })
  return { ...plan, services }
}

function parseInstances(text: string | undefined): Map<string, number> {
  const wanted = new Map<string, number>()
  for (const part of (text ?? '').split(',').filter((piece) => piece !== '')) {
    const [, name, count] = /^([a-z0-9-]+)=(\d+)$/.exec(part) ?? []
    if (name === undefined || count === undefined) {
      throw new InvalidArgumentError(
        `--instances has "${part}"; expected service=number,service=number`,
      )
    }
    wanted.set(name, Number(count))
  }
  return wanted
}
