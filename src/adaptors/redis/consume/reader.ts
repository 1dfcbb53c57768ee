import type { BackhaulError, Clock, Deliveries } from '../../../contract/index.ts'
import { BackhaulError as Failure } from '../../../contract/index.ts'
import { deferred } from '../../../kit/deferred.ts'
import type { LinkReader } from '../../shared/readers.ts'
import { ErrorAnswer, lostBy, redisError, violation } from '../errors.ts'
import type { RedisOptions } from '../options.ts'
import type { Argument } from '../session/command.ts'
import type { RedisConnection } from '../session/connection.ts'

/** One subscription: its stream, and what stands behind it. */
export interface Reader extends LinkReader {
  /** The stream. */
  readonly deliveries: Deliveries
  /** Looks whether an answer is overdue. */
  look(now: number): void
}

/** What a reader has of its link. */
export interface ReaderContext {
  /** The options. */
  readonly options: RedisOptions
  /** Time. */
  readonly clock: Clock
  /** The connection that everybody uses, for what never waits. */
  readonly main: RedisConnection
  /** Opens a connection for reads that wait. Texts of answers come as bytes. */
  open(signal: AbortSignal): Promise<RedisConnection>
  /** The link must end. */
  lost(error: BackhaulError): void
  /** The reader left; wait for it. */
  left(reader: Reader): Promise<void>
}

/** How long the broker may take to see that a reader leaves, in milliseconds. */
export const LEAVE_MS = 1000

/**
 * Asks, where an error refuses the subscription.
 *
 * @throws BackhaulError the refusal
 */
export async function askFor(
  connection: RedisConnection,
  stream: string,
  args: readonly Argument[],
): Promise<unknown> {
  const answer = await connection.ask(args)
  if (answer instanceof ErrorAnswer) throw redisError(answer, `subscribe to "${stream}"`, 'topic')
  return answer
}

/** Reads again and again while there is room, until it is stopped. */
export class ReadLoop {
  readonly #context: ReaderContext
  readonly #over = deferred()
  #room = deferred()
  #stopped = false

  constructor(context: ReaderContext) {
    this.#context = context
  }

  /** Whether it was stopped. */
  get stopped(): boolean {
    return this.#stopped
  }

  /** There may be room now. */
  wake(): void {
    this.#room.resolve()
  }

  /** No further read. */
  stop(): void {
    this.#stopped = true
    this.wake()
  }

  /** Resolves when the last read is over. */
  get over(): Promise<void> {
    return this.#over.promise
  }

  /** Runs; a failure ends the link. */
  run(room: () => number, read: (room: number) => Promise<void>): void {
    this.#loop(room, read)
      .catch((error: unknown) => {
        if (!this.#stopped) this.#context.lost(this.#asFailure(error))
      })
      .finally(() => this.#over.resolve())
  }

  async #loop(room: () => number, read: (room: number) => Promise<void>): Promise<void> {
    while (!this.#stopped) {
      const now = room()
      if (now > 0) {
        await read(now)
      } else {
        this.#room = deferred()
        await this.#room.promise
      }
    }
  }

  #asFailure(error: unknown): BackhaulError {
    if (error instanceof Failure) return error
    return violation(this.#context.main.address, 'what cannot be read', error)
  }
}

/**
 * Asks, where an error ends the link.
 *
 * @throws BackhaulError `LINK_LOST`
 */
export async function askOn(
  connection: RedisConnection,
  args: readonly Argument[],
  extraMs = 0,
): Promise<unknown> {
  const answer = await connection.ask(args, extraMs)
  if (answer instanceof ErrorAnswer) throw lostBy(answer, `read from ${connection.address}`)
  return answer
}
