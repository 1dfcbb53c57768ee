import type { Duplex } from 'node:stream'

import type { Decoder } from '@redis/client/dist/lib/RESP/decoder.js'

import type { BackhaulError, Clock, PeerTls } from '../../../contract/index.ts'
import { BackhaulError as Failure } from '../../../contract/index.ts'
import { deferred } from '../../../kit/deferred.ts'
import { networkError } from '../../../kit/network-errors.ts'
import { Ring } from '../../../kit/ring.ts'
import type { OpenSocket } from '../../shared/socket.ts'
import { ErrorAnswer, late, violation } from '../errors.ts'
import type { Argument } from './command.ts'
import { CommandWriter } from './command.ts'
import type { Driver } from './driver.ts'

/*
 * One connection to the broker: commands go out one behind the other without waiting, and the answers come in the same order.
 *
 * States: open; ending (our side is closed, and answers are still read until the broker closes its side); ended. It ends once: by
 * `close()`, by the socket, or because an answer is overdue; then everything that waits for an answer fails.
 */

/** Whoever waits for the answers to some commands that follow one another. */
export interface Asker {
  /** How many answers are still to come. Counted down by the connection. */
  left: number
  /** When the broker must have answered the last of them, on the monotonic clock. */
  readonly deadlineMs: number
  /** Takes the next answer; one that tells of an error is an {@link ErrorAnswer}. Must not throw. */
  answered(answer: unknown): void
  /** The connection ended before the last answer. */
  failed(error: BackhaulError): void
}

/** What a connection is made with. */
export interface ConnectionSetup {
  /** The driver. */
  readonly driver: Driver
  /** Time. */
  readonly clock: Clock
  /** How long the broker may take to answer, in milliseconds. */
  readonly commandTimeoutMs: number
  /** The longest silence, in milliseconds. */
  readonly keepAliveMs: number
}

/** One connection to the broker. */
export class RedisConnection {
  /** Host and port. */
  readonly address: string
  /** The TLS session, or `undefined` for plaintext. */
  readonly tls: PeerTls | undefined
  /** Called once when it ends other than by `close()`. */
  onEnd: (error: BackhaulError) => void = () => undefined
  /** Called when the socket takes more after it was blocked. */
  onDrain: () => void = () => undefined
  /** Whether texts of answers come as bytes. */
  asBytes = false
  readonly #setup: ConnectionSetup
  readonly #socket: OpenSocket
  readonly #stream: Duplex
  readonly #decoder: Decoder
  readonly #asking = new Ring<Asker>()
  readonly #closed = deferred()
  #lastSentMs: number
  #answeredOnce = false
  #overdue = false
  #ending = false
  #ended: BackhaulError | undefined

  constructor(setup: ConnectionSetup, socket: OpenSocket, address: string) {
    this.#setup = setup
    this.#socket = socket
    this.#stream = socket.stream
    this.address = address
    this.tls = socket.tls
    this.#lastSentMs = setup.clock.monotonic()
    const bytes = { [BLOB_STRING]: Buffer }
    this.#decoder = new setup.driver.Decoder({
      onReply: (answer: unknown) => this.#answer(answer),
      onErrorReply: ({ message }) => this.#answer(new ErrorAnswer(message)),
      onPush: () => this.end(violation(address, 'what nobody asked for')),
      getTypeMapping: () => (this.asBytes ? bytes : {}),
    })
    const end = (cause?: unknown) => this.end(networkError(cause, this.#context()))
    this.#stream.on('data', (chunk: Buffer) => this.#take(chunk))
    this.#stream.on('drain', () => this.onDrain())
    this.#stream.on('error', end)
    this.#stream.on('end', () => end())
    this.#stream.on('close', () => {
      end()
      this.#closed.resolve()
    })
  }

  /** Why it ended, or `undefined` while it is open. */
  get ended(): BackhaulError | undefined {
    return this.#ended
  }

  /** Whether the socket has more to send than it should hold. */
  get blocked(): boolean {
    return this.#stream.writableNeedDrain
  }

  /** When a command that is sent now must be answered, on the monotonic clock. */
  deadlineMs(extraMs = 0): number {
    return this.#setup.clock.monotonic() + this.#setup.commandTimeoutMs + extraMs
  }

  /**
   * Sends a command and waits for its answer, which may tell of an error.
   *
   * @param extraMs - how much longer than others the broker may take for it
   * @throws BackhaulError when the connection ends first
   */
  ask(args: readonly Argument[], extraMs = 0): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const writer = new CommandWriter()
      writer.command(args)
      this.send(
        { left: 1, deadlineMs: this.deadlineMs(extraMs), answered: resolve, failed: reject },
        writer.take(),
      )
    })
  }

  /** Sends commands that are written already. */
  send(asker: Asker, parts: readonly Uint8Array[]): void {
    if (this.#ended !== undefined) {
      asker.failed(this.#ended)
      return
    }
    this.#asking.push(asker)
    this.#lastSentMs = this.#setup.clock.monotonic()
    if (parts.length === 1) {
      this.#stream.write(parts[0])
      return
    }
    this.#stream.cork()
    for (const part of parts) this.#stream.write(part)
    this.#stream.uncork()
  }

  /** Looks whether an answer is overdue, and shows that we live after a silence. To be called again and again. */
  look(now: number): void {
    if (this.#ended !== undefined) return
    const overdue = (this.#asking.peek()?.deadlineMs ?? Infinity) <= now
    // the answer may lie in the socket behind a pause of this process: it is read before the second look
    if (overdue && this.#overdue) {
      this.end(late(this.address, 'answer', this.#setup.commandTimeoutMs))
      return
    }
    this.#overdue = overdue
    if (this.#asking.length === 0 && now - this.#lastSentMs >= this.#setup.keepAliveMs && !this.#ending) {
      // any answer will do, also that the user may not ask for it
      const writer = new CommandWriter()
      writer.command(['PING'])
      const deadlineMs = now + Math.min(this.#setup.keepAliveMs / 2, this.#setup.commandTimeoutMs)
      this.send({ left: 1, deadlineMs, answered: ignore, failed: ignore }, writer.take())
    }
  }

  /** Ends it for a reason; whoever opened it is told. */
  end(error: BackhaulError): void {
    if (this.#ended !== undefined) return
    const ending = this.#ending
    this.#finish(error)
    if (!ending) this.onEnd(error)
  }

  /** Ends it without a word to whoever opened it. What waits for an answer fails with `error`. */
  close(error: BackhaulError): void {
    if (this.#ended === undefined) this.#finish(error)
  }

  /** Ends it in an orderly way: answers that are on their way are still taken. Waits for the broker, but not for long. */
  async leave(limitMs: number): Promise<void> {
    if (this.#ended !== undefined) return
    this.#ending = true
    this.#stream.end()
    const timer = this.#setup.clock.after(limitMs, () => this.#stream.destroy())
    await this.#closed.promise
    timer.cancel()
  }

  #finish(error: BackhaulError): void {
    this.#ended = error
    this.#stream.destroy()
    for (let one = this.#asking.shift(); one !== undefined; one = this.#asking.shift()) one.failed(error)
  }

  #take(chunk: Buffer): void {
    if (this.#ended !== undefined) return
    try {
      this.#decoder.write(chunk)
    } catch (cause) {
      this.end(
        cause instanceof Failure ? cause : violation(this.address, 'what is no answer of Redis', cause),
      )
    }
  }

  #answer(answer: unknown): void {
    const asker = this.#asking.peek()
    if (this.#ended !== undefined) return
    if (asker === undefined) {
      // a broker that is full, or in protected mode, says so before it hangs up
      const word =
        answer instanceof ErrorAnswer ? `"${answer.text.slice(0, 200)}"` : 'an answer to no command'
      this.end(violation(this.address, word))
      return
    }
    this.#answeredOnce = true
    asker.left -= 1
    if (asker.left <= 0) this.#asking.shift()
    asker.answered(answer)
  }

  #context() {
    return { ...this.#socket.context, phase: this.#answeredOnce ? ('open' as const) : ('answer' as const) }
  }
}

/** The type of texts in answers. */
const BLOB_STRING = 36

function ignore(): void {
  // that there is an answer is enough, and the end of the connection is told elsewhere
}
