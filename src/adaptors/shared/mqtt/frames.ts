import { PACKET_TOO_LARGE, ProtocolViolation } from './protocol-error.ts'

/*
 * Cuts the incoming bytes into packets. A packet that lies whole in one chunk is handed on where it lies, without a
 * copy; one that is spread over several chunks is put together once, when its last byte is there.
 *
 * The length is checked against the limit as soon as it is known, before anything is kept: a hostile length costs no memory.
 */

/** Takes one packet: `bytes[start]` is its first byte, `body` the offset behind the fixed header, `end` the offset behind it. */
export type TakePacket = (bytes: Buffer, start: number, body: number, end: number) => void

/** Cuts a stream of bytes into packets. */
export class FrameReader {
  /** Who gets the packets; may be changed between two of them. */
  take: TakePacket
  readonly #maxPacketBytes: number
  #parts: Buffer[] = []
  #held = 0
  /** How many bytes the packet that is being put together has, header included; 0 while that is not known. */
  #wanted = 0

  constructor(maxPacketBytes: number, take: TakePacket) {
    this.#maxPacketBytes = maxPacketBytes
    this.take = take
  }

  /**
   * Takes the next bytes and hands on every packet that is complete.
   *
   * @throws ProtocolViolation when a length is malformed or over the limit, and whatever the taker throws
   */
  push(chunk: Buffer): void {
    let start = this.#held === 0 ? 0 : this.#complete(chunk)
    while (start < chunk.length) {
      const body = this.#header(chunk, start)
      const end = start + this.#wanted
      if (body === 0 || end > chunk.length) break
      this.take(chunk, start, body, end)
      start = end
    }
    if (start < chunk.length) this.#keep(start === 0 ? chunk : chunk.subarray(start))
  }

  /** Adds to the packet that is being put together what it lacks, and no more; gives the offset of the next one. */
  #complete(chunk: Buffer): number {
    let at = 0
    while (this.#wanted === 0) {
      if (at === chunk.length) return at
      this.#keep(chunk.subarray(at, at + 1))
      at += 1
      const start = this.#join()
      this.#header(start, 0)
      this.#keep(start)
    }
    const part = chunk.subarray(at, at + this.#wanted - this.#held)
    this.#keep(part)
    if (this.#held === this.#wanted) {
      const packet = this.#join()
      this.take(packet, 0, this.#header(packet, 0), packet.length)
    }
    return at + part.length
  }

  /** Reads a fixed header; gives the offset behind it, or 0 while it is incomplete. */
  #header(bytes: Buffer, start: number): number {
    this.#wanted = 0
    let length = 0
    for (let index = 1; index <= 4; index += 1) {
      const byte = bytes[start + index]
      if (byte === undefined) return 0
      length += (byte & 127) * 128 ** (index - 1)
      if (byte < 128) {
        this.#wanted = 1 + index + length
        if (this.#wanted > this.#maxPacketBytes) {
          throw new ProtocolViolation(
            `a packet of ${this.#wanted} bytes, more than maxPacketBytes (${this.#maxPacketBytes})`,
            PACKET_TOO_LARGE,
          )
        }
        return start + 1 + index
      }
    }
    throw new ProtocolViolation('a packet whose length is malformed')
  }

  #keep(bytes: Buffer): void {
    this.#parts.push(bytes)
    this.#held += bytes.length
  }

  #join(): Buffer {
    const joined = this.#parts.length === 1 ? this.#parts[0] : undefined
    const bytes = joined ?? Buffer.concat(this.#parts, this.#held)
    this.#parts = []
    this.#held = 0
    return bytes
  }
}
