export type { Balancer, Choice } from './balancer.ts'
export type { LeastActive } from './least-active.ts'
export { leastActive } from './least-active.ts'
export { roundRobin } from './round-robin.ts'
