export type { AgentOptions, StopOptions } from './agent.ts'
export { Agent, createAgent } from './agent.ts'
export type {
  AgentHealth,
  CommandHealth,
  ConnectionHealth,
  HealthError,
  HealthFlag,
  InputHealth,
} from './health.ts'
export { HEALTH_FLAGS } from './health.ts'
export type { LogLevel, LogOutput } from './logger.ts'
export { stateFolder } from './state-folder.ts'
export { createLogger, LOG_LEVELS } from './logger.ts'
