/**
 * The embedded engine as a driver for `holdfast()`: `records: embeddedFile({ path: 'orders.db' })`.
 */
import type { Driver } from '../../ports/driver.ts'
import { type EmbeddedOptions, embedded } from './embedded.ts'

/** Every port on one file of this machine. Options as in `embedded`. */
export function embeddedFile(options: Omit<EmbeddedOptions, 'namespace' | 'observer'>): Driver {
  return {
    name: 'embedded',
    open: ({ runtime, namespace, observer }) =>
      embedded(runtime, { ...options, namespace, observer }),
  }
}
