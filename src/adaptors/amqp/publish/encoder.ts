import type { Message } from '../../../contract/index.ts'
import { BackhaulError } from '../../../contract/index.ts'
import type { Output } from '../../shared/mqtt/output.ts'
import type { AmqpOptions } from '../options.ts'
import { checkTopicName } from '../topic.ts'
import { CONTENT_TYPE_HEADER, KEY_HEADER, PROPERTY } from '../wire/content.ts'
import { BASIC_CLASS, FRAME, FRAME_END, FRAME_OVERHEAD, METHOD } from '../wire/protocol.ts'

/*
 * A message as its frames (method, header, body), written by hand straight into the output: this is the hot path. See
 * `wire/protocol.ts` for the frames and `wire/content.ts` for what stands where.
 */

const MAX_SHORT = 255
const MAX_TOPICS = 1000
/** Payloads up to this size are copied into the output, larger ones are handed over as they are. */
const COPY_MAX = 16_384
const TEXT_TAG = 0x53
const LIVES_ON = 2
const TRANSIENT = 1

/** Writes messages for one link. */
export class MessageEncoder {
  readonly #output: Output
  readonly #options: AmqpOptions
  readonly #bodyMax: number
  readonly #exchange: Buffer
  readonly #contentType: Buffer
  readonly #keyHeader: Buffer = shortText(KEY_HEADER)
  /** Topics with their length in front, checked once. */
  readonly #topics = new Map<string, Buffer>()
  /** What was measured last. */
  #topic: Buffer = Buffer.alloc(0)
  #type: Buffer
  #idBytes = 0
  #tableBytes = 0

  /** @param frameMax - the largest frame that was agreed on, in bytes */
  constructor(output: Output, options: AmqpOptions, frameMax: number) {
    this.#output = output
    this.#options = options
    this.#bodyMax = frameMax - FRAME_OVERHEAD
    this.#exchange = shortText(options.exchange)
    this.#contentType = shortText(options.contentType)
    this.#type = this.#contentType
  }

  /**
   * Looks whether a message can be sent. `write()` follows.
   *
   * @throws BackhaulError `INVALID_TOPIC`, `INVALID_MESSAGE` or `MESSAGE_TOO_LARGE`: this message can never be sent.
   */
  measure(message: Message): void {
    const { headers, payload } = message
    this.#topic = this.#topics.get(message.topic) ?? this.#newTopic(message.topic)
    const { maxMessageBytes } = this.#options
    if (payload.length > maxMessageBytes) {
      throw tooLarge(
        message,
        `its payload has ${payload.length} bytes, over maxMessageBytes (${maxMessageBytes})`,
      )
    }
    this.#idBytes = Buffer.byteLength(message.id)
    if (this.#idBytes > MAX_SHORT) throw bad(message, `its id is longer than ${MAX_SHORT} bytes, shorten it`)
    this.#type = this.#contentType
    let bytes = 0
    if (message.key !== undefined) {
      bytes += this.#keyHeader.length + 5 + Buffer.byteLength(message.key)
    }
    if (headers !== undefined) {
      for (const name in headers) bytes += this.#measureHeader(message, name, headers[name] ?? '')
    }
    this.#tableBytes = bytes
    if (this.#headerBytes() > this.#bodyMax) {
      throw tooLarge(message, `its headers have ${bytes} bytes, more than a frame of ${this.#bodyMax} takes`)
    }
  }

  /** Writes the message that was measured last. */
  write(message: Message, channel: number): void {
    const { payload } = message
    const inFrames = payload.length <= this.#bodyMax
    const copied = payload.length > 0 && payload.length <= COPY_MAX && inFrames
    const methodBytes = 4 + 2 + this.#exchange.length + this.#topic.length + 1
    const headerBytes = this.#headerBytes()
    const total =
      methodBytes + headerBytes + 2 * FRAME_OVERHEAD + (copied ? payload.length + FRAME_OVERHEAD : 0)
    // the offset first: making room may change the chunk
    let at = this.#output.take(total)
    const { chunk } = this.#output
    at = writeHead(chunk, at, FRAME.method, channel, methodBytes)
    at = chunk.writeUInt32BE(METHOD.publish, at)
    at = chunk.writeUInt16BE(0, at)
    at += this.#exchange.copy(chunk, at)
    at += this.#topic.copy(chunk, at)
    chunk[at++] = this.#options.mandatory ? 1 : 0
    chunk[at++] = FRAME_END
    at = writeHead(chunk, at, FRAME.header, channel, headerBytes)
    at = this.#writeHeader(chunk, at, message)
    chunk[at++] = FRAME_END
    if (copied) {
      at = writeHead(chunk, at, FRAME.body, channel, payload.length)
      chunk.set(payload, at)
      chunk[at + payload.length] = FRAME_END
    } else if (payload.length > 0) {
      this.#writeBody(payload, channel)
    }
  }

  #headerBytes(): number {
    const table = this.#tableBytes === 0 ? 0 : 4 + this.#tableBytes
    return 14 + this.#type.length + table + 1 + 1 + this.#idBytes
  }

  #writeHeader(chunk: Buffer, from: number, message: Message): number {
    const flags = PROPERTY.contentType | PROPERTY.deliveryMode | PROPERTY.messageId
    let at = chunk.writeUInt16BE(BASIC_CLASS, from)
    at = chunk.writeUInt16BE(0, at)
    at = chunk.writeUInt32BE(0, at)
    at = chunk.writeUInt32BE(message.payload.length, at)
    at = chunk.writeUInt16BE(this.#tableBytes === 0 ? flags : flags | PROPERTY.headers, at)
    at += this.#type.copy(chunk, at)
    if (this.#tableBytes > 0) {
      at = chunk.writeUInt32BE(this.#tableBytes, at)
      if (message.key !== undefined) {
        at += this.#keyHeader.copy(chunk, at)
        at = writeLong(chunk, at, message.key)
      }
      for (const name in message.headers) {
        at = writeShort(chunk, at, name)
        at = writeLong(chunk, at, message.headers[name] ?? '')
      }
    }
    chunk[at++] = this.#options.persistent ? LIVES_ON : TRANSIENT
    return writeShort(chunk, at, message.id)
  }

  /** Hands a large payload over in its frames, without copying it. */
  #writeBody(payload: Uint8Array, channel: number): void {
    for (let from = 0; from < payload.length; from += this.#bodyMax) {
      const part = payload.subarray(from, from + this.#bodyMax)
      const head = this.#output.take(7)
      writeHead(this.#output.chunk, head, FRAME.body, channel, part.length)
      this.#output.append(part)
      const end = this.#output.take(1)
      this.#output.chunk[end] = FRAME_END
    }
  }

  #measureHeader(message: Message, name: string, value: string): number {
    if (name === KEY_HEADER) throw bad(message, `the header name "${name}" is taken, choose another`)
    const nameBytes = Buffer.byteLength(name)
    if (nameBytes > MAX_SHORT) {
      throw bad(message, `a header name is longer than ${MAX_SHORT} bytes, shorten it`)
    }
    const valueBytes = Buffer.byteLength(value)
    if (name === CONTENT_TYPE_HEADER && valueBytes > 0 && valueBytes <= MAX_SHORT) {
      this.#type = shortText(value)
    }
    return 1 + nameBytes + 5 + valueBytes
  }

  #newTopic(topic: string): Buffer {
    checkTopicName(topic)
    const bytes = shortText(topic)
    if (this.#topics.size >= MAX_TOPICS) this.#topics.clear()
    this.#topics.set(topic, bytes)
    return bytes
  }
}

function writeHead(chunk: Buffer, at: number, kind: number, channel: number, size: number): number {
  chunk[at] = kind
  chunk.writeUInt16BE(channel, at + 1)
  return chunk.writeUInt32BE(size, at + 3)
}

function writeShort(chunk: Buffer, at: number, text: string): number {
  const bytes = chunk.write(text, at + 1)
  chunk[at] = bytes
  return at + 1 + bytes
}

function writeLong(chunk: Buffer, at: number, text: string): number {
  const bytes = chunk.write(text, at + 5)
  chunk[at] = TEXT_TAG
  chunk.writeUInt32BE(bytes, at + 1)
  return at + 5 + bytes
}

/** Text with its length in front. */
function shortText(text: string): Buffer {
  const bytes = Buffer.allocUnsafeSlow(1 + Buffer.byteLength(text))
  writeShort(bytes, 0, text)
  return bytes
}

function bad(message: Message, problem: string): BackhaulError {
  return new BackhaulError(
    'INVALID_MESSAGE',
    `Cannot send a message to "${message.topic}": ${problem}`,
    undefined,
    { scope: 'message' },
  )
}

function tooLarge(message: Message, problem: string): BackhaulError {
  return new BackhaulError(
    'MESSAGE_TOO_LARGE',
    `Cannot send a message to "${message.topic}": ${problem}, send less`,
    undefined,
    { scope: 'message' },
  )
}
