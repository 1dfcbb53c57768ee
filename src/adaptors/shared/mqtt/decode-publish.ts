import type { Headers } from '../../../contract/index.ts'
import { ID_PROPERTY, KEY_PROPERTY } from './encode-publish.ts'
import { ProtocolViolation } from './protocol-error.ts'
import type { ProtocolLevel, Qos } from './settings.ts'

/*
 * PUBLISH as it comes in (MQTT 5, section 3.3), read by hand: the hot path of a subscriber. The layout is in
 * encode-publish.ts. Every length is checked against the end of the packet before it is used.
 *
 * Of the properties, user properties and subscription identifiers are kept; a topic alias is an error, since none
 * was allowed; the others are skipped by their type. Of user properties with one name, the first one counts.
 */

/** A PUBLISH that was read. */
export interface InboundPublish {
  /** The topic name. */
  readonly topic: string
  /** The payload, where it lay in the chunk. */
  readonly payload: Buffer
  /** Quality of service. */
  readonly qos: Qos
  /** Packet id; 0 for QoS 0. */
  readonly packetId: number
  /** Whether the broker sent it before. */
  readonly dup: boolean
  /** Whether the broker had kept it. */
  readonly retain: boolean
  /** Identifiers of the subscriptions that it matches, or `undefined` for none. */
  readonly subscriptions: readonly number[] | undefined
  /** The sender's message id. */
  readonly id: string | undefined
  /** The sender's key. */
  readonly key: string | undefined
  /** Further user properties. */
  readonly headers: Headers | undefined
}

/** How a property's value is laid out. */
type Layout = 'byte' | 'two' | 'four' | 'length' | 'text' | 'pair'

/** The properties that PUBLISH may have. */
const LAYOUTS: Readonly<Record<number, Layout>> = {
  1: 'byte', // payload format indicator
  2: 'four', // message expiry interval
  3: 'text', // content type
  8: 'text', // response topic
  9: 'text', // correlation data
  11: 'length', // subscription identifier
  35: 'two', // topic alias
  38: 'pair', // user property
}
const SUBSCRIPTION_IDENTIFIER = 11
const TOPIC_ALIAS = 35

/**
 * Reads the PUBLISH in `bytes[start, end)`; `body` is the offset behind its fixed header.
 *
 * @throws ProtocolViolation
 */
export function decodePublish(
  bytes: Buffer,
  start: number,
  body: number,
  end: number,
  level: ProtocolLevel,
): InboundPublish {
  const flags = bytes[start] ?? 0
  const qos = qosOf((flags >> 1) & 3)
  const reader = new Reader(bytes, body, end)
  const topic = reader.text()
  if (topic === '' || topic.includes('+') || topic.includes('#') || topic.includes('\0')) {
    throw new ProtocolViolation('a message whose topic is empty or holds a wildcard')
  }
  const packetId = qos === 0 ? 0 : reader.two()
  if (qos !== 0 && packetId === 0) throw new ProtocolViolation('a message with the packet id 0')
  const properties = level === 5 ? readProperties(reader) : NO_PROPERTIES
  return {
    topic,
    payload: bytes.subarray(reader.at, end),
    qos,
    packetId,
    dup: (flags & 8) !== 0,
    retain: (flags & 1) !== 0,
    subscriptions: properties.subscriptions,
    id: properties.id,
    key: properties.key,
    // from the last to the first, so that the first one of a name stays; every name is safe, "__proto__" too
    headers: properties.headers && Object.fromEntries(properties.headers.toReversed()),
  }
}

interface Properties {
  subscriptions: number[] | undefined
  id: string | undefined
  key: string | undefined
  headers: [name: string, value: string][] | undefined
}

const NO_PROPERTIES: Readonly<Properties> = {
  subscriptions: undefined,
  id: undefined,
  key: undefined,
  headers: undefined,
}

function readProperties(reader: Reader): Readonly<Properties> {
  const length = reader.length()
  if (length === 0) return NO_PROPERTIES
  const end = reader.at + length
  if (end > reader.end) throw new ProtocolViolation('a message whose properties are longer than itself')
  const found: Properties = { subscriptions: undefined, id: undefined, key: undefined, headers: undefined }
  while (reader.at < end) readProperty(reader, found)
  if (reader.at !== end) throw new ProtocolViolation('a message whose properties overlap its payload')
  return found
}

function readProperty(reader: Reader, found: Properties): void {
  const kind = reader.byte()
  switch (LAYOUTS[kind]) {
    case 'byte':
      reader.byte()
      return
    case 'two':
      if (kind === TOPIC_ALIAS) throw new ProtocolViolation('a topic alias, which was not allowed')
      reader.two()
      return
    case 'four':
      reader.skip(4)
      return
    case 'length': {
      const identifier = reader.length()
      if (kind === SUBSCRIPTION_IDENTIFIER) (found.subscriptions ??= []).push(identifier)
      return
    }
    case 'text':
      reader.skip(reader.two())
      return
    case 'pair':
      readUserProperty(reader, found)
      return
    case undefined:
      throw new ProtocolViolation(`a message with the unknown property ${kind}`)
  }
}

function readUserProperty(reader: Reader, found: Properties): void {
  const name = reader.text()
  const value = reader.text()
  if (name === ID_PROPERTY) found.id ??= value
  else if (name === KEY_PROPERTY) found.key ??= value
  else (found.headers ??= []).push([name, value])
}

function qosOf(bits: number): Qos {
  if (bits === 0 || bits === 1 || bits === 2) return bits
  throw new ProtocolViolation('a message with both bits of its quality of service set')
}

/** Reads the fields of one packet, never beyond its end. */
class Reader {
  at: number
  readonly end: number
  readonly #bytes: Buffer

  constructor(bytes: Buffer, at: number, end: number) {
    this.#bytes = bytes
    this.at = at
    this.end = end
  }

  byte(): number {
    const from = this.#advance(1)
    return this.#bytes[from] ?? 0
  }

  two(): number {
    const from = this.#advance(2)
    return ((this.#bytes[from] ?? 0) << 8) | (this.#bytes[from + 1] ?? 0)
  }

  text(): string {
    const length = this.two()
    const from = this.#advance(length)
    return this.#bytes.toString('utf8', from, from + length)
  }

  length(): number {
    let value = 0
    for (let factor = 1; factor <= 2_097_152; factor *= 128) {
      const byte = this.byte()
      value += (byte & 127) * factor
      if (byte < 128) return value
    }
    throw new ProtocolViolation('a malformed length')
  }

  skip(bytes: number): void {
    this.#advance(bytes)
  }

  #advance(bytes: number): number {
    const from = this.at
    if (from + bytes > this.end) throw new ProtocolViolation('a packet that ends in the middle of a field')
    this.at = from + bytes
    return from
  }
}
