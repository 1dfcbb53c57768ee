import type { BackhaulError } from '../../../contract/index.ts'
import type { Deferred } from '../../../kit/deferred.ts'
import { deferred } from '../../../kit/deferred.ts'
import { Ring } from '../../../kit/ring.ts'
import type { Refusal } from '../errors.ts'
import { refused } from '../errors.ts'
import type { ContentHeader } from '../wire/content.ts'
import { readContentHeader } from '../wire/content.ts'
import { Cursor } from '../wire/cursor.ts'
import * as methods from '../wire/methods.ts'
import { FRAME, FRAME_END, METHOD, REPLY } from '../wire/protocol.ts'
import type { AmqpConnection, FrameTaker } from './connection.ts'
import { readRefusal } from './connection.ts'

/*
 * One channel: questions and their answers, which come in the order of the questions, and messages from the broker, which come as
 * a method, a header and a body. A question that the broker refuses ends the channel: that is AMQP's only way to say no.
 *
 * States: open; closing (our goodbye is out: only the answer to it counts); ended, by the broker (`closed`), by us or with the connection.
 */

/** The largest body that is read, in bytes; RabbitMQ's own limit. */
const MAX_BODY = 536_870_912

/** A message that the broker sent, to a consumer or back to its sender. */
export interface Arrival extends ContentHeader {
  /** The body. */
  readonly payload: Uint8Array
  /** The routing key. */
  readonly topic: string
}

/** A message for a consumer. */
export interface Delivered extends Arrival {
  /** The number to acknowledge it by. */
  readonly tag: number
  /** Whether it may have been delivered before. */
  readonly redelivered: boolean
}

/** Who hears of a channel. */
export interface ChannelWatcher {
  /** A message came. */
  delivered?(delivery: Delivered): void
  /** A message of ours came back. */
  returned?(message: Arrival, refusal: Refusal): void
  /** The broker has (or has not) taken a message of ours; `multiple`: and all before it. */
  confirmed?(tag: number, multiple: boolean, taken: boolean): void
  /** The broker ended a consumer. */
  cancelled?(): void
  /** The broker ended the channel. */
  closed(refusal: Refusal): void
  /** The connection has ended. */
  lost(error: BackhaulError): void
}

interface Question {
  readonly answer: number
  readonly what: string
  readonly done: Deferred<void>
}

/** What is known of a message while its frames come. */
interface Incoming {
  readonly topic: string
  readonly tag: number
  readonly redelivered: boolean
  readonly refusal: Refusal | undefined
  header: ContentHeader | undefined
  readonly parts: Buffer[]
  missing: number
}

/** One channel of a connection. */
export class Channel implements FrameTaker {
  /** Its number. */
  readonly number: number
  readonly #connection: AmqpConnection
  readonly #watcher: ChannelWatcher
  readonly #contentType: string
  readonly #questions = new Ring<Question>()
  #incoming: Incoming | undefined
  #closing: Deferred<void> | undefined
  #ended = false

  /** @param contentType - the content type that is not told as a header */
  constructor(connection: AmqpConnection, contentType: string, watcher: ChannelWatcher) {
    this.#connection = connection
    this.#watcher = watcher
    this.#contentType = contentType
    this.number = connection.join(this)
  }

  /** Opens it. Nobody has to wait for it: the questions that follow are answered after it. */
  open(): Promise<void> {
    return this.ask('open a channel', methods.channelOpen(this.number), METHOD.channelOpenOk)
  }

  /**
   * Asks, and waits for the answer. Several questions may be asked at once.
   *
   * @param what - completes "Cannot ..."
   * @throws BackhaulError the refusal, with scope `topic`, or what ended the connection
   */
  ask(what: string, frame: Buffer, answer: number): Promise<void> {
    const done = deferred()
    // of several questions the first failure is told; the others fail with it
    done.promise.catch(() => undefined)
    const error = this.#connection.ended
    if (error !== undefined) done.reject(error)
    else if (this.#ended || this.#closing !== undefined) done.reject(refused(NOT_OPEN, what, 'topic'))
    else {
      this.#questions.push({ answer, what, done })
      this.#connection.output.append(frame)
    }
    return done.promise
  }

  /** Acknowledges a message of a consumer. */
  acknowledge(tag: number): void {
    if (this.#ended || this.#closing !== undefined) return
    const { output } = this.#connection
    const at = output.take(21)
    const { chunk } = output
    chunk[at] = FRAME.method
    chunk.writeUInt16BE(this.number, at + 1)
    chunk.writeUInt32BE(13, at + 3)
    chunk.writeUInt32BE(METHOD.ack, at + 7)
    chunk.writeUInt32BE(Math.floor(tag / 0x1_0000_0000), at + 11)
    chunk.writeUInt32BE(tag % 0x1_0000_0000, at + 15)
    chunk[at + 19] = 0
    chunk[at + 20] = FRAME_END
  }

  /** Ends it; the broker puts back what was not acknowledged. Resolves when the broker has answered or the connection has ended. */
  close(): Promise<void> {
    if (this.#ended) return Promise.resolve()
    if (this.#closing === undefined) {
      this.#closing = deferred()
      this.#connection.output.append(methods.close(this.number, REPLY.success, 'Goodbye'))
    }
    return this.#closing.promise
  }

  /** See {@link FrameTaker.take}. */
  take(kind: number, bytes: Buffer, from: number, to: number): void {
    if (kind === FRAME.method) this.#method(bytes.readUInt32BE(from), bytes, from + 4, to)
    else if (this.#closing !== undefined) return
    else if (kind === FRAME.header) this.#header(new Cursor(bytes, from, to))
    else if (kind === FRAME.body) this.#body(bytes.subarray(from, to))
    else throw new RangeError(`a frame of the unknown kind ${kind}`)
  }

  /** See {@link FrameTaker.end}. */
  end(error: BackhaulError): void {
    if (this.#ended) return
    this.#finish((question) => question.done.reject(error))
    this.#watcher.lost(error)
  }

  #method(method: number, bytes: Buffer, from: number, to: number): void {
    if (method === METHOD.channelClose) {
      this.#closedByBroker(readRefusal(new Cursor(bytes, from, to)))
    } else if (method === METHOD.channelCloseOk && this.#closing !== undefined) {
      this.#connection.leave(this.number)
      this.#finish((question) => question.done.reject(refused(NOT_OPEN, question.what, 'topic')))
    } else if (this.#closing === undefined) {
      this.#methodWhileOpen(method, bytes, from, to)
    }
  }

  #methodWhileOpen(method: number, bytes: Buffer, from: number, to: number): void {
    switch (method) {
      case METHOD.ack:
      case METHOD.nack: {
        const tag = bytes.readUInt32BE(from) * 0x1_0000_0000 + bytes.readUInt32BE(from + 4)
        this.#watcher.confirmed?.(tag, (bytes.readUInt8(from + 8) & 1) !== 0, method === METHOD.ack)
        return
      }
      case METHOD.deliver: {
        const args = new Cursor(bytes, from, to)
        args.skipShortText()
        const tag = args.u64()
        const redelivered = (args.u8() & 1) !== 0
        args.skipShortText()
        this.#announce(args.shortText(), tag, redelivered, undefined)
        return
      }
      case METHOD.return: {
        const args = new Cursor(bytes, from, to)
        const refusal = readRefusal(args)
        args.skipShortText()
        this.#announce(args.shortText(), 0, false, refusal)
        return
      }
      case METHOD.cancel:
        this.#watcher.cancelled?.()
        return
      default:
        this.#answer(method)
    }
  }

  #answer(method: number): void {
    const question = this.#questions.shift()
    if (question?.answer !== method) {
      throw new RangeError(`the method ${method >> 16}.${method & 0xffff} that nobody asked for`)
    }
    question.done.resolve()
  }

  #announce(topic: string, tag: number, redelivered: boolean, refusal: Refusal | undefined): void {
    if (this.#incoming !== undefined) throw new RangeError('a message within a message')
    this.#incoming = { topic, tag, redelivered, refusal, header: undefined, parts: [], missing: 0 }
  }

  #header(cursor: Cursor): void {
    const incoming = this.#incoming
    if (incoming === undefined || incoming.header !== undefined) {
      throw new RangeError('a header without a message')
    }
    const header = readContentHeader(cursor, this.#contentType)
    if (header.size > MAX_BODY) throw new RangeError(`a message of ${header.size} bytes`)
    incoming.header = header
    incoming.missing = header.size
    if (header.size === 0) this.#complete(incoming)
  }

  #body(part: Buffer): void {
    const incoming = this.#incoming
    if (incoming?.header === undefined || part.length > incoming.missing) {
      throw new RangeError('a body without a message')
    }
    incoming.parts.push(part)
    incoming.missing -= part.length
    if (incoming.missing === 0) this.#complete(incoming)
  }

  #complete({ header, topic, tag, redelivered, refusal, parts }: Incoming): void {
    this.#incoming = undefined
    if (header === undefined) return
    const { size, id, key, headers } = header
    const payload = parts.length === 1 ? (parts[0] ?? Buffer.alloc(0)) : Buffer.concat(parts)
    const arrival = { size, id, key, headers, payload, topic, tag, redelivered }
    if (refusal === undefined) this.#watcher.delivered?.(arrival)
    else this.#watcher.returned?.(arrival, refusal)
  }

  #closedByBroker(refusal: Refusal): void {
    this.#connection.output.append(methods.closeOk(this.number))
    // after our own goodbye, the answer to that is still to come
    if (this.#closing !== undefined) return
    this.#connection.leave(this.number)
    this.#finish((question) => question.done.reject(refused(refusal, question.what, 'topic')))
    this.#watcher.closed(refusal)
  }

  #finish(fail: (question: Question) => void): void {
    this.#ended = true
    this.#incoming = undefined
    for (let one = this.#questions.shift(); one !== undefined; one = this.#questions.shift()) fail(one)
    this.#closing?.resolve()
  }
}

const NOT_OPEN: Refusal = { code: 504, text: 'the channel is closed' }
