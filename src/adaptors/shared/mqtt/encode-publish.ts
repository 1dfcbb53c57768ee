import type { Message } from '../../../contract/index.ts'
import { BackhaulError } from '../../../contract/index.ts'
import { checkTopicName } from '../topic-filter.ts'
import type { Output } from './output.ts'
import type { ProtocolLevel, Qos } from './settings.ts'

/*
 * PUBLISH (MQTT 5, section 3.3), written by hand straight into the output: this is the hot path, and doing it this way costs a
 * fifth of a general encoder.
 *
 *   1   0x30 | dup 0x08 | qos << 1 | retain
 *   1-4 remaining length, seven bits a byte
 *   2+n topic
 *   2   packet id, for QoS 1 and 2
 *   --- MQTT 5 only: property length (1-4), then user properties, each 0x26, 2+n name, 2+n value:
 *       "backhaul-id", "backhaul-key" (where there is a key), then the application's headers
 *   n   payload
 */

/** The user property that holds the message id. */
export const ID_PROPERTY = 'backhaul-id'
/** The user property that holds the key. */
export const KEY_PROPERTY = 'backhaul-key'

const USER_PROPERTY = 0x26
const MAX_TEXT = 65_535
const MAX_REMAINING = 268_435_455
const MAX_TOPICS = 1000

const ID_PREFIX = prefix(ID_PROPERTY)
const KEY_PREFIX = prefix(KEY_PROPERTY)

/** Writes PUBLISH packets for one link. */
export class PublishEncoder {
  readonly #output: Output
  readonly #level: ProtocolLevel
  readonly #qos: Qos
  readonly #firstByte: number
  readonly #maxPacketBytes: number
  /** Topics with their length in front, checked once. */
  readonly #topics = new Map<string, Uint8Array>()
  /** Length of the properties of the message that was measured last. */
  #properties = 0

  constructor(
    output: Output,
    options: { level: ProtocolLevel; qos: Qos; retain: boolean; maxPacketBytes: number },
  ) {
    this.#output = output
    this.#level = options.level
    this.#qos = options.qos
    this.#firstByte = 0x30 | (options.qos << 1) | (options.retain ? 1 : 0)
    this.#maxPacketBytes = options.maxPacketBytes
  }

  /**
   * How many bytes come after the fixed header.
   *
   * @throws BackhaulError `INVALID_TOPIC`, `INVALID_MESSAGE` or `MESSAGE_TOO_LARGE`: this message can never be sent.
   */
  measure(message: Message): number {
    let bytes = this.#topic(message.topic).length + (this.#qos === 0 ? 0 : 2) + message.payload.length
    if (this.#level === 5) {
      this.#properties = propertyBytes(message)
      bytes += this.#properties + lengthOfLength(this.#properties)
    }
    if (bytes > MAX_REMAINING || 1 + lengthOfLength(bytes) + bytes > this.#maxPacketBytes) {
      throw new BackhaulError(
        'MESSAGE_TOO_LARGE',
        `Cannot send a message to "${message.topic}": with ${bytes} bytes it is over the broker's limit of ${this.#maxPacketBytes}, send less or raise the limit at the broker`,
        undefined,
        { scope: 'message' },
      )
    }
    return bytes
  }

  /** Writes the message that was measured last. */
  write(message: Message, packetId: number, remaining: number): void {
    const { payload } = message
    const copied = payload.length <= 4096
    const output = this.#output
    const head = 1 + lengthOfLength(remaining) + remaining - (copied ? 0 : payload.length)
    let at = output.take(head)
    const { chunk } = output
    chunk[at++] = this.#firstByte
    at = writeLength(chunk, at, remaining)
    const topic = this.#topic(message.topic)
    chunk.set(topic, at)
    at += topic.length
    if (this.#qos !== 0) {
      chunk[at++] = packetId >> 8
      chunk[at++] = packetId & 255
    }
    if (this.#level === 5) at = writeProperties(chunk, at, message, this.#properties)
    if (copied) chunk.set(payload, at)
    else output.append(payload)
  }

  #topic(topic: string): Uint8Array {
    const known = this.#topics.get(topic)
    if (known !== undefined) return known
    checkTopicName(topic)
    const bytes = textWithLength(topic)
    if (this.#topics.size >= MAX_TOPICS) this.#topics.clear()
    this.#topics.set(topic, bytes)
    return bytes
  }
}

function propertyBytes(message: Message): number {
  let bytes = ID_PREFIX.length + textBytes(message.id, message, 'id')
  if (message.key !== undefined) bytes += KEY_PREFIX.length + textBytes(message.key, message, 'key')
  if (message.headers !== undefined) {
    for (const name in message.headers) {
      if (name === ID_PROPERTY || name === KEY_PROPERTY) {
        throw badMessage(message, `the header name "${name}" is taken, choose another`)
      }
      bytes += 1 + textBytes(name, message, 'header name')
      bytes += textBytes(message.headers[name] ?? '', message, `header "${name}"`)
    }
  }
  return bytes
}

function writeProperties(chunk: Buffer, from: number, message: Message, bytes: number): number {
  let at = writeLength(chunk, from, bytes)
  chunk.set(ID_PREFIX, at)
  at = writeText(chunk, at + ID_PREFIX.length, message.id)
  if (message.key !== undefined) {
    chunk.set(KEY_PREFIX, at)
    at = writeText(chunk, at + KEY_PREFIX.length, message.key)
  }
  if (message.headers !== undefined) {
    for (const name in message.headers) {
      chunk[at] = USER_PROPERTY
      at = writeText(chunk, at + 1, name)
      at = writeText(chunk, at, message.headers[name] ?? '')
    }
  }
  return at
}

/** Bytes of a text with its length in front. */
function textBytes(text: string, message: Message, what: string): number {
  const bytes = Buffer.byteLength(text)
  if (bytes > MAX_TEXT) throw badMessage(message, `its ${what} is longer than ${MAX_TEXT} bytes, shorten it`)
  if (text.includes('\0')) throw badMessage(message, `its ${what} holds the character U+0000, take it out`)
  return bytes + 2
}

function badMessage(message: Message, problem: string): BackhaulError {
  return new BackhaulError(
    'INVALID_MESSAGE',
    `Cannot send a message to "${message.topic}": ${problem}`,
    undefined,
    {
      scope: 'message',
    },
  )
}

function writeText(chunk: Buffer, at: number, text: string): number {
  const bytes = chunk.write(text, at + 2)
  chunk[at] = bytes >> 8
  chunk[at + 1] = bytes & 255
  return at + 2 + bytes
}

function writeLength(chunk: Buffer, from: number, length: number): number {
  let at = from
  let rest = length
  while (rest > 127) {
    chunk[at++] = (rest & 127) | 128
    rest >>>= 7
  }
  chunk[at++] = rest
  return at
}

/** How many bytes a variable byte integer takes. */
function lengthOfLength(length: number): number {
  if (length < 128) return 1
  if (length < 16_384) return 2
  return length < 2_097_152 ? 3 : 4
}

function textWithLength(text: string): Uint8Array {
  const bytes = Buffer.allocUnsafeSlow(2 + Buffer.byteLength(text))
  writeText(bytes, 0, text)
  return bytes
}

function prefix(name: string): Uint8Array {
  return Buffer.concat([Buffer.of(USER_PROPERTY), textWithLength(name)])
}
