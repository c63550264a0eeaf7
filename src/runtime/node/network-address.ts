/**
 * `host:port` in and out; an IPv6 host stands in brackets.
 */
import { InvalidArgumentError } from '../../errors.ts'

export interface HostAndPort {
  readonly host: string
  readonly port: number
}

export function parseAddress(address: string): HostAndPort {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(address) ?? []
  const host = bracketed ?? plain
  const port = Number(digits)
  if (host !== undefined && port <= 65_535) return { host, port }
  throw new InvalidArgumentError(`the address is "${address}"; expected host:port`)
}

export function formatAddress(host: string | undefined, port: number | undefined): string {
  if (host === undefined || port === undefined) return 'unknown'
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
