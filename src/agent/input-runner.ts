import type { Clock, Logger } from '../contract/index.ts'
import { BackhaulError } from '../contract/index.ts'
import { backoff } from '../kit/backoff.ts'
import type { HealthError, InputHealth } from './health.ts'
import type { Input, LineSink } from './inputs/input.ts'
import { limitLog } from './log-limit.ts'
import { pause } from './pause.ts'

/** What became of one line. */
export interface LineOutcome {
  /** Messages that an outbox accepted. */
  readonly accepted: number
  /** Why the line, or a message made of it, was not taken. */
  readonly errors: readonly BackhaulError[]
  /** The line itself could not be read. */
  readonly malformed: boolean
}

/** Turns a line into messages and hands them to the outboxes. Never rejects. */
export type HandleLine = (line: Uint8Array) => Promise<LineOutcome>

/** What an {@link InputRunner} is made of. */
export interface InputRunnerParts {
  /** The input's name in the configuration. */
  readonly name: string
  /** Where lines come from. */
  readonly input: Input
  /** What is done with them. */
  readonly handle: HandleLine
  /** The longest line in bytes. */
  readonly maxLineBytes: number
  /** Whether an object of JSON may be spread over several lines. */
  readonly joinsObjects: boolean
  /** The log. */
  readonly logger: Logger
  /** Where time comes from. */
  readonly clock: Clock
  /** For the jitter of retries. */
  readonly random: () => number
}

/**
 * Keeps one input going: counts its lines, says what is wrong with them at a bounded rate, and opens it again with
 * growing delays when it fails. A finite input that fails has come to its end.
 */
export class InputRunner {
  readonly #parts: InputRunnerParts
  #state: InputHealth['state'] = 'reading'
  #lines = 0
  #malformed = 0
  #tooLong = 0
  #accepted = 0
  #rejected = 0
  #error: BackhaulError | undefined

  constructor(parts: InputRunnerParts) {
    this.#parts = parts
  }

  /** Whether the input comes to an end by itself. */
  get finite(): boolean {
    return this.#parts.input.finite
  }

  /** Why a finite input failed. */
  get failure(): BackhaulError | undefined {
    return this.#state === 'failed' ? this.#error : undefined
  }

  /** The input's state and counts. */
  get health(): InputHealth {
    return {
      state: this.#state,
      lines: this.#lines,
      malformed: this.#malformed,
      tooLong: this.#tooLong,
      accepted: this.#accepted,
      rejected: this.#rejected,
      error: shortError(this.#error),
    }
  }

  /** Reads until the end of the input or the signal. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { name, input, clock, random, logger } = this.#parts
    const delays = backoff(1000, 30_000, random)
    const sink = this.#sink()
    while (!signal.aborted) {
      this.#state = 'reading'
      try {
        await input.run(sink, signal)
        this.#state = 'ended'
        if (input.finite && !signal.aborted)
          logger.info({ input: name, ...this.#counts() }, 'input has ended')
        return
      } catch (error) {
        this.#error = asInputError(name, error)
        this.#state = input.finite ? 'failed' : 'waiting'
        const { code, message, cause } = this.#error
        const why = cause instanceof Error ? cause.message : undefined
        logger.error({ input: name, code, error: message, cause: why }, 'input failed')
        if (input.finite) return
        await pause(delays.next().value, clock, signal)
      }
    }
    this.#state = 'ended'
  }

  #counts(): Record<string, number> {
    const { lines, malformed, tooLong, accepted, rejected } = this.health
    return { lines, malformed, tooLong, accepted, rejected }
  }

  #sink(): LineSink {
    const { name, handle, maxLineBytes, joinsObjects, logger, clock } = this.#parts
    const warn = limitLog((fields, text) => logger.warn(fields, text), clock)
    return {
      maxLineBytes,
      joinsObjects,
      take: async (line) => {
        if (line.length === 0) return
        this.#lines += 1
        const outcome = await handle(line)
        this.#accepted += outcome.accepted
        if (outcome.errors.length === 0) return
        if (outcome.malformed) this.#malformed += 1
        else this.#rejected += outcome.errors.length
        const [first] = outcome.errors
        warn(
          { input: name, line: this.#lines, code: first?.code, error: first?.message },
          'line was not taken',
        )
      },
      tooLong: () => {
        this.#tooLong += 1
        warn({ input: name, line: this.#lines, maxLineBytes }, 'line was too long and is skipped')
      },
    }
  }
}

/** An error as health shows it. */
export function shortError(error: BackhaulError | undefined): HealthError | undefined {
  return error === undefined ? undefined : { code: error.code, message: error.message }
}

function asInputError(name: string, error: unknown): BackhaulError {
  if (error instanceof BackhaulError) return error
  const why = error instanceof Error ? error.message : String(error)
  return new BackhaulError(
    'INPUT_FAILED',
    `Cannot read the input "${name}": ${why}, see its configuration`,
    error,
  )
}
