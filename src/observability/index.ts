export type { Labels, Observer } from './observer.ts'
export { silentObserver } from './observer.ts'
