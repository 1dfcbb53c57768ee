export type { Answer, DispatcherOptions } from './dispatch.ts'
export { Dispatcher } from './dispatch.ts'
export type { PingOptions, PingResult } from './ping/index.ts'
export { pingAction } from './ping/index.ts'
