/** Writes one log line: fields first, then a short constant text. */
export type Log = (fields: Readonly<Record<string, unknown>>, text: string) => void

/** What the rooms need of a logger; pino's own logger fits. Secrets never go in. */
export interface Logger {
  /** For whoever hunts a bug. */
  readonly debug: Log
  /** A change of state. */
  readonly info: Log
  /** Something an operator should look at. */
  readonly warn: Log
  /** Something failed and was not mended. */
  readonly error: Log
}
