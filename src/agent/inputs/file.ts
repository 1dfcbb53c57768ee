import { createReadStream } from 'node:fs'

import type { Clock } from '../../contract/index.ts'
import { BackhaulError } from '../../contract/index.ts'
import { abortable } from '../../kit/abortable.ts'
import { pause } from '../pause.ts'
import type { Input, LineSink } from './input.ts'
import { pumpLines } from './input.ts'

/** How a file is read. */
export interface FileInputOptions {
  /** The file: one JSON object a line. */
  readonly path: string
  /** `realtime`: lines come with the distances of their timestamps. `asap`: as fast as they are taken. */
  readonly replay: 'realtime' | 'asap'
  /** Begins again at the end, for ever. */
  readonly repeat: boolean
}

/** A gap between two timestamps is waited for at most so long in milliseconds: one wrong timestamp must not stop the input. */
const MAX_GAP_MS = 60_000
/** With an empty file, or one without timestamps, a repeated replay waits so long in milliseconds before it begins again. */
const REST_MS = 1000

/** Lines of a file, replayed. It ends at the end of the file, unless it is repeated. */
export function fileInput(options: FileInputOptions, clock: Clock): Input {
  return {
    finite: !options.repeat,
    async run(sink, signal) {
      const pace = new Pace(options.replay === 'realtime', clock, signal)
      try {
        do {
          await replay(options.path, paced(sink, pace), signal)
          if (options.repeat) await pace.rest()
        } while (options.repeat && !signal.aborted)
      } catch (cause) {
        if (signal.aborted) return
        throw failure(options.path, cause)
      }
    },
  }
}

async function replay(path: string, sink: LineSink, signal: AbortSignal): Promise<void> {
  const stream = createReadStream(path)
  try {
    await pumpLines(abortable(stream, signal), sink)
  } finally {
    stream.destroy()
  }
}

function paced(sink: LineSink, pace: Pace): LineSink {
  return {
    ...sink,
    async take(line) {
      await pace.until(line)
      await sink.take(line)
    },
  }
}

/**
 * Keeps the distances of timestamps. Each line is due at a point of the monotonic clock that is counted on from line to line,
 * so delays do not add up. A timestamp that goes back, or is missing, costs no wait.
 */
class Pace {
  readonly #byTimestamps: boolean
  readonly #clock: Clock
  readonly #signal: AbortSignal
  #lastMs: number | undefined
  #dueAt: number
  #lastGapMs = 0

  constructor(byTimestamps: boolean, clock: Clock, signal: AbortSignal) {
    this.#byTimestamps = byTimestamps
    this.#clock = clock
    this.#signal = signal
    this.#dueAt = clock.monotonic()
  }

  /** Waits until a line is due. */
  async until(line: Uint8Array): Promise<void> {
    this.#signal.throwIfAborted()
    const timestampMs = this.#byTimestamps ? timestampOf(line) : undefined
    if (timestampMs === undefined) return
    const gapMs = Math.min(Math.max(0, timestampMs - (this.#lastMs ?? timestampMs)), MAX_GAP_MS)
    this.#lastMs = timestampMs
    if (gapMs > 0) this.#lastGapMs = gapMs
    await this.#wait(gapMs)
  }

  /** Waits between the last line and the first one of the next round. */
  async rest(): Promise<void> {
    this.#lastMs = undefined
    if (this.#byTimestamps) await this.#wait(this.#lastGapMs === 0 ? REST_MS : this.#lastGapMs)
    // gives way to everybody else, even where the file is empty and nothing is ever waited for
    else await pause(1, this.#clock, this.#signal)
  }

  async #wait(gapMs: number): Promise<void> {
    const now = this.#clock.monotonic()
    // when the sink held it up, it goes on from now: what was missed is not hurried after
    this.#dueAt = Math.max(this.#dueAt + gapMs, now)
    if (this.#dueAt > now) await pause(this.#dueAt - now, this.#clock, this.#signal)
  }
}

/** The time of an event in milliseconds since 1970, from its `timestamp`, `@timestamp` or `time`. */
function timestampOf(line: Uint8Array): number | undefined {
  try {
    const event: unknown = JSON.parse(Buffer.from(line.buffer, line.byteOffset, line.byteLength).toString())
    if (typeof event !== 'object' || event === null) return undefined
    for (const name of ['timestamp', '@timestamp', 'time']) {
      const value: unknown = Reflect.get(event, name)
      const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN
      if (!Number.isNaN(ms)) return ms
    }
    return undefined
  } catch {
    return undefined // whoever decodes the line says what is wrong with it
  }
}

function failure(path: string, cause: unknown): BackhaulError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  const why =
    code === 'ENOENT'
      ? 'there is no such file, check the path'
      : code === 'EACCES'
        ? 'this user may not read it, change its permissions'
        : code === 'EISDIR'
          ? 'it is a folder, name a file in it'
          : cause instanceof Error
            ? cause.message
            : String(cause)
  return new BackhaulError('INPUT_FAILED', `Cannot read "${path}": ${why}`, cause)
}
