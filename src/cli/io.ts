import process from 'node:process'

/** A stream that a command writes to. */
export interface Output {
  /** As of Node's writable streams. */
  write(chunk: string | Uint8Array, done?: (error?: Error | null) => void): boolean
  /** As of Node's event emitters: `error` is the only event used. */
  on(event: 'error', listener: (error: Error) => void): unknown
  /** Ends `on`. */
  off(event: 'error', listener: (error: Error) => void): unknown
}

/** Everything of the process that a command uses, so that tests hand in their own. */
export interface CliIo {
  /** Where messages and events come from. */
  readonly stdin: AsyncIterable<Uint8Array>
  /** Results, and nothing else. */
  readonly stdout: Output
  /** Errors, notes and logs. */
  readonly stderr: Output
  /** Environment variables. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Calls `listener` at each such signal until the function that it gives is called. */
  onSignal(names: readonly NodeJS.Signals[], listener: () => void): () => void
}

/** The real process. */
export function processIo(): CliIo {
  return {
    get stdin() {
      return process.stdin
    },
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    onSignal(names, listener) {
      for (const name of names) process.on(name, listener)
      return () => {
        for (const name of names) process.off(name, listener)
      }
    },
  }
}

/** Writes, and waits until the stream has taken it: back-pressure for whoever writes much. Rejects with the stream's error. */
export function written(output: Output, chunk: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    output.write(chunk, (error) => {
      if (error === undefined || error === null) resolve()
      else reject(error)
    })
  })
}

/** Whether an error says that nobody reads our output any more. */
export function isClosedPipe(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false
  return (
    error.code === 'EPIPE' ||
    error.code === 'ERR_STREAM_DESTROYED' ||
    error.code === 'ERR_STREAM_WRITE_AFTER_END'
  )
}
