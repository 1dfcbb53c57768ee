import type { Duplex } from 'node:stream'

import type { BackhaulError, Clock, PeerTls } from '../../../contract/index.ts'
import { networkError } from '../../../kit/network-errors.ts'
import { Ring } from '../../../kit/ring.ts'
import type { OpenSocket } from '../../shared/socket.ts'
import type { Api, Driver } from './driver.ts'
import { readAnswer } from './driver.ts'
import { late, violation } from '../errors.ts'

/*
 * One connection to one broker: frames with a length of four bytes, requests and answers in the same order. A broker works on one
 * request of a connection after another, so what waits for long at the broker (fetching, joining a group) has a connection
 * of its own.
 *
 * States: open, ended. It ends once: by `close()`, by the socket, or by `end(error)`; then every pending request fails.
 */

const MAX_FRAME = 256 * 1024 ** 2
const NO_TAGS = Buffer.of(0)
const NOTHING = Buffer.alloc(0)

/** What a connection is made with. */
export interface ConnectionSetup {
  /** The driver's codec. */
  readonly driver: Driver
  /** The client id that is shown to the broker. */
  readonly clientId: string
  /** Time. */
  readonly clock: Clock
  /** How long the broker may take to answer, in milliseconds. */
  readonly requestTimeoutMs: number
}

/** How a request differs from most. */
export interface RequestOptions {
  /** How much longer than others the broker may take for it, in milliseconds. */
  readonly extraMs?: number
  /** Versions without tagged fields in the header of the request. */
  readonly rigid?: boolean
  /** Versions without tagged fields in the header of the answer. */
  readonly rigidAnswer?: boolean
}

interface Pending {
  readonly correlationId: number
  readonly rigidAnswer: boolean
  readonly deadlineMs: number
  readonly answered: (body: Buffer) => void
  readonly failed: (error: BackhaulError) => void
}

/** One connection to one broker. */
export class BrokerConnection {
  /** Host and port. */
  readonly address: string
  /** The TLS session, or `undefined` for plaintext. */
  readonly tls: PeerTls | undefined
  /** When something was last sent, on the monotonic clock. */
  lastSentMs: number
  readonly #setup: ConnectionSetup
  readonly #stream: Duplex
  readonly #socket: OpenSocket
  readonly #pending = new Ring<Pending>()
  /** The answer that is coming in, behind its length, and how much of it is there. */
  #frame: Buffer | undefined
  #filled = 0
  /** The beginning of a length. */
  #begun: Buffer | undefined
  readonly #onEnd: (error: BackhaulError) => void
  #correlationId = 0
  #answered = false
  #ended: BackhaulError | undefined

  /** @param onEnd - called once when it ends other than by `close()` */
  constructor(
    setup: ConnectionSetup,
    socket: OpenSocket,
    address: string,
    onEnd: (error: BackhaulError) => void,
  ) {
    this.#setup = setup
    this.#socket = socket
    this.#stream = socket.stream
    this.address = address
    this.tls = socket.tls
    this.#onEnd = onEnd
    this.lastSentMs = setup.clock.monotonic()
    const end = (cause?: unknown) => this.end(networkError(cause, this.#context()))
    this.#stream.on('data', (chunk: Buffer) => this.#take(chunk))
    this.#stream.on('error', end)
    this.#stream.on('end', () => end())
    this.#stream.on('close', () => end())
  }

  /** Why it ended, or `undefined` while it is open. */
  get ended(): BackhaulError | undefined {
    return this.#ended
  }

  /** How many requests are unanswered. */
  get pending(): number {
    return this.#pending.length
  }

  /** How many bytes the socket has not taken yet. */
  get unsentBytes(): number {
    return this.#stream.writableLength
  }

  /** Asks and waits for the answer; an answer that tells of an error is an answer. */
  request<Args extends readonly unknown[], Answer>(
    api: Api<Args, Answer>,
    args: Args,
    options: RequestOptions = {},
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const { buffer } = api.createRequest(...args)
      const head = this.header(api.api.key, api.api.version, buffer.length, options.rigid)
      this.send([head, buffer], options, (body) => resolve(readAnswer(this.#setup.driver, api, body)), reject)
    })
  }

  /** The header of a request with a body of so many bytes, as `send()` wants it. */
  header(key: number, version: number, bodyBytes: number, rigid = false): Buffer {
    const { clientId } = this.#setup
    const idBytes = Buffer.byteLength(clientId)
    const head = Buffer.allocUnsafe(14 + idBytes + (rigid ? 0 : NO_TAGS.length))
    this.#correlationId = (this.#correlationId + 1) & 0x7fff_ffff
    head.writeInt32BE(head.length - 4 + bodyBytes, 0)
    head.writeInt16BE(key, 4)
    head.writeInt16BE(version, 6)
    head.writeInt32BE(this.#correlationId, 8)
    head.writeInt16BE(idBytes, 12)
    head.write(clientId, 14)
    if (!rigid) head[head.length - 1] = 0
    return head
  }

  /**
   * Sends a request whose header was made last. `answered` gets the body of the answer, a view; what it throws ends the
   * connection as a violation. `failed` is called instead when the connection ends first.
   */
  send(
    parts: readonly Buffer[],
    { extraMs = 0, rigidAnswer = false }: RequestOptions,
    answered: (body: Buffer) => void,
    failed: (error: BackhaulError) => void,
  ): void {
    if (this.#ended !== undefined) {
      failed(this.#ended)
      return
    }
    const now = this.#setup.clock.monotonic()
    this.lastSentMs = now
    const deadlineMs = now + this.#setup.requestTimeoutMs + extraMs
    this.#pending.push({ correlationId: this.#correlationId, rigidAnswer, deadlineMs, answered, failed })
    this.#write(parts)
  }

  /** Sends a request that has no answer; `written` is called when the system has taken it. */
  sendOnly(parts: readonly Buffer[], written: (error: BackhaulError | undefined) => void): void {
    if (this.#ended !== undefined) {
      written(this.#ended)
      return
    }
    this.lastSentMs = this.#setup.clock.monotonic()
    const last = parts.at(-1)
    this.#write(parts.slice(0, -1))
    this.#stream.write(last, (cause) => {
      written(cause === undefined || cause === null ? undefined : networkError(cause, this.#context()))
    })
  }

  /** Ends the connection when the request that waits longest is overdue. */
  look(now: number): void {
    const oldest = this.#pending.peek()
    if (oldest !== undefined && oldest.deadlineMs <= now) {
      this.end(late(this.address, 'answer', this.#setup.requestTimeoutMs))
    }
  }

  /** Ends it for a reason; whoever opened it is told. */
  end(error: BackhaulError): void {
    if (this.#ended !== undefined) return
    this.#finish(error)
    this.#onEnd(error)
  }

  /** Ends it without a word to whoever opened it. Pending requests fail with `error`. */
  close(error: BackhaulError): void {
    if (this.#ended === undefined) this.#finish(error)
  }

  #finish(error: BackhaulError): void {
    this.#ended = error
    this.#stream.destroy()
    this.#frame = undefined
    for (let one = this.#pending.shift(); one !== undefined; one = this.#pending.shift()) one.failed(error)
  }

  #write(parts: readonly Buffer[]): void {
    if (parts.length === 1) {
      this.#stream.write(parts[0])
      return
    }
    this.#stream.cork()
    for (const part of parts) this.#stream.write(part)
    this.#stream.uncork()
  }

  /**
   * Takes in what came. An answer that comes in parts is put together as they come: parts that were kept until the last one would
   * outlive the young generation, and it is full collections that make large answers dear.
   */
  #take(chunk: Buffer): void {
    let rest = this.#begun === undefined ? chunk : Buffer.concat([this.#begun, chunk])
    this.#begun = undefined
    while (rest.length > 0 && this.#ended === undefined) {
      if (this.#frame === undefined) rest = this.#begin(rest)
      else rest = this.#fill(this.#frame, rest)
    }
  }

  /** The beginning of an answer; gives what is behind it. */
  #begin(bytes: Buffer): Buffer {
    if (bytes.length < 4) {
      this.#begun = bytes
      return NOTHING
    }
    const size = bytes.readInt32BE(0)
    if (size < 4 || size > MAX_FRAME) {
      this.end(violation(this.address, 'what is no answer of Kafka'))
      return NOTHING
    }
    const end = size + 4
    if (bytes.length < end) {
      this.#frame = Buffer.allocUnsafeSlow(size)
      this.#filled = 0
      return bytes.subarray(4)
    }
    this.#answer(bytes.subarray(4, end))
    return bytes.subarray(end)
  }

  /** A further part of an answer; gives what is behind it. */
  #fill(frame: Buffer, bytes: Buffer): Buffer {
    const taken = bytes.copy(frame, this.#filled)
    this.#filled += taken
    if (this.#filled === frame.length) {
      this.#frame = undefined
      this.#answer(frame)
    }
    return bytes.subarray(taken)
  }

  #answer(frame: Buffer): void {
    const request = this.#pending.shift()
    if (request === undefined || request.correlationId !== frame.readInt32BE(0)) {
      if (request !== undefined) this.#pending.unshift(request)
      this.end(violation(this.address, 'an answer to no request'))
      return
    }
    this.#answered = true
    try {
      // tagged fields of the header: brokers send none
      const tags = request.rigidAnswer ? 0 : 1
      request.answered(frame.subarray(4 + tags))
    } catch (cause) {
      const error = violation(this.address, 'an answer that cannot be read', cause)
      request.failed(error)
      this.end(error)
    }
  }

  #context() {
    return { ...this.#socket.context, phase: this.#answered ? ('open' as const) : ('answer' as const) }
  }
}
