import { parser } from 'mqtt-packet'
import type { Packet, Parser } from 'mqtt-packet'

import { ProtocolViolation } from './protocol-error.ts'
import type { ProtocolLevel } from './settings.ts'

/**
 * Reads one whole packet of any kind but PUBLISH with `mqtt-packet`.
 * It is handed one packet at a time, so that what it reads can never reach into the next one.
 */
export class PacketDecoder {
  readonly #parser: Parser
  #packet: Packet | undefined
  #error: unknown

  constructor(level: ProtocolLevel) {
    this.#parser = parser({ protocolVersion: level })
    this.#parser.on('packet', (packet) => {
      this.#packet = packet
    })
    this.#parser.on('error', (error) => {
      this.#error ??= error
    })
  }

  /** @throws ProtocolViolation when it is not exactly one well-formed packet */
  decode(bytes: Buffer): Packet {
    this.#packet = undefined
    this.#error = undefined
    let rest = 0
    try {
      rest = this.#parser.parse(bytes)
    } catch (cause) {
      this.#error ??= cause
    }
    const packet: Packet | undefined = this.#packet
    if (this.#error !== undefined || packet === undefined || rest !== 0) {
      const why = this.#error instanceof Error ? this.#error.message : 'it is too short'
      throw new ProtocolViolation(`a malformed packet (${why})`)
    }
    if (!hasWholeProperties(packet)) throw new ProtocolViolation('a malformed packet (a property is cut off)')
    return packet
  }
}

/**
 * Whether every property has a value of its own: the parser gives `null` or -1 for one that is cut off, and a list for one
 * that came twice, which nothing but a user property may.
 */
function hasWholeProperties(packet: Packet): boolean {
  const properties: unknown = 'properties' in packet ? packet.properties : undefined
  if (typeof properties !== 'object' || properties === null) return true
  return Object.entries(properties).every(([name, value]: [string, unknown]) => {
    if (name === 'userProperties') return true
    return value !== null && value !== undefined && value !== -1 && !Array.isArray(value)
  })
}
