export type { Console, ConsoleOptions } from './console.ts'
export { consoleOf } from './console.ts'
export type { ConsoleView, ProcessView } from './view.ts'
