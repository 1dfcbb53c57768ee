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
    return packet
  }
}
