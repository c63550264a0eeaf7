/**
 * The shop as `holdfast up` sees it: who belongs to it, and who answers HTTP.
 */
import type { Plan } from 'holdfast/cli'

export const plan: Plan = {
  name: 'shop',
  services: [
    { name: 'inventory', entry: 'inventory/main.js', instances: 2 },
    { name: 'account', entry: 'account/main.js', instances: 1 },
    { name: 'payment', entry: 'payment/main.js', instances: 1 },
    { name: 'order', entry: 'order/main.js', instances: 2 },
    { name: 'gateway', entry: 'gateway/main.js', instances: 1 },
  ],
  front: 'gateway',
  // `npm start -- --leases cluster --registry cluster`: three members that agree among themselves.
  drivers: { cluster: [{ name: 'cluster', entry: 'cluster/main.js', instances: 3 }] },
}
