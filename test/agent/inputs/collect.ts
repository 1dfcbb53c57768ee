import { EventEmitter, once } from 'node:events'

import type { Input, LineSink } from '../../../src/agent/inputs/input.ts'

/** A sink that keeps what it takes, and can be told to take no more for now. */
export class Collector implements LineSink {
  readonly maxLineBytes: number
  readonly joinsObjects = false
  readonly lines: string[] = []
  skipped = 0
  #gate: Promise<void> | undefined
  #open: (() => void) | undefined
  readonly #events = new EventEmitter()

  constructor(maxLineBytes = 1000) {
    this.maxLineBytes = maxLineBytes
  }

  readonly take = (line: Uint8Array): Promise<void> | undefined => {
    this.lines.push(Buffer.from(line).toString())
    this.#events.emit('line')
    return this.#gate
  }

  readonly tooLong = (): void => {
    this.skipped += 1
    this.#events.emit('line')
  }

  /** From now on whoever hands a line over waits. */
  hold(): void {
    this.#gate = new Promise((resolve) => {
      this.#open = resolve
    })
  }

  /** Lets everybody go on. */
  release(): void {
    this.#gate = undefined
    this.#open?.()
  }

  /** Waits until so many lines came, skipped ones included. */
  async until(count: number): Promise<void> {
    while (this.lines.length + this.skipped < count) {
      await once(this.#events, 'line', { signal: AbortSignal.timeout(10_000) })
    }
  }
}

/** Runs an input; `stop()` ends it and waits for that. */
export function started(input: Input, sink: LineSink): { ended: Promise<void>; stop: () => Promise<void> } {
  const controller = new AbortController()
  const ended = input.run(sink, controller.signal)
  ended.catch(() => undefined) // the test looks at it
  return {
    ended,
    stop: () => {
      controller.abort()
      return ended
    },
  }
}
