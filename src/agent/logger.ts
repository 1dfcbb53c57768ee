import { pino } from 'pino'

import type { Logger } from '../contract/index.ts'

/** The levels of the log, from the most to the least talkative. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const
/** One of {@link LOG_LEVELS}. */
export type LogLevel = (typeof LOG_LEVELS)[number]

/** Names whose values never reach the log, wherever code hands them over: at the top or one level below. */
const SECRETS = [
  'password',
  'passphrase',
  'secret',
  'token',
  'key',
  'pfx',
  'auth',
  'credentials',
  'authorization',
]

/** Where log lines go. */
export interface LogOutput {
  /** Takes one line with its end. */
  write(line: string): unknown
}

/** The log of the agent: one JSON object a line, with ISO time, secrets blotted out. */
export function createLogger(output: LogOutput, level: LogLevel = 'info'): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRETS.flatMap((name) => [name, `*.${name}`]), censor: '***' },
    },
    { write: (line: string) => void output.write(line) },
  )
}
