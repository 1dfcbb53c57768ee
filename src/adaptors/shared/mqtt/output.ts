import type { Duplex } from 'node:stream'

import { Ring } from '../../../kit/ring.ts'

/*
 * The outgoing half of a link. Packets are written one after the other into a chunk of memory; the chunk goes to the
 * socket once a turn of the event loop, or when it is full. So a thousand small packets cost one system call and no
 * buffer of their own.
 *
 * Invariants:
 * - Bytes handed to the stream are never touched again: a chunk is filled once, from front to back, and then left.
 * - `blocked` is true from the moment more than HIGH bytes wait in the stream until fewer than LOW do. Only publishing heeds it;
 *   acknowledgements and pings are few and small, and go out always.
 */

const CHUNK = 65_536
/** Larger payloads go to the socket as they are; smaller ones are cheaper to copy than to hand over. */
const COPY_MAX = 16_384
const HIGH = 1_048_576
const LOW = 262_144
/** So many acknowledgements may wait for a peer that does not read: four times what it can have on its way. */
const MAX_ANSWERS = 262_144

/** Collects packets and writes them once a turn. */
export class Output {
  /** Where a packet is written to, from the offset that {@link take} gives. */
  chunk: Buffer = Buffer.allocUnsafeSlow(CHUNK)
  /** True while the socket does not keep up. */
  blocked = false
  /** When the socket was last seen to take bytes while others wait; `undefined` while none wait. In milliseconds. */
  stalledSinceMs: number | undefined
  /** When the last byte was handed over, in milliseconds. */
  lastWriteMs: number

  readonly #stream: Duplex
  readonly #now: () => number
  readonly #onDrain: () => void
  readonly #onFlood: () => void
  #start = 0
  #end = 0
  #turn: NodeJS.Immediate | undefined
  #corked = false
  #closed = false
  /** Acknowledgements that the system has not taken, those of each write, and those of no write yet. */
  #answers = 0
  readonly #answersOfWrites = new Ring<number>()
  #newAnswers = 0

  /**
   * @param now - monotonic milliseconds
   * @param events - `onDrain` is called when `blocked` becomes false, `onFlood` when the peer makes us answer without end
   *   and does not read the answers
   */
  constructor(
    stream: Duplex,
    now: () => number,
    events: { readonly onDrain: () => void; readonly onFlood: () => void },
  ) {
    this.#stream = stream
    this.#now = now
    this.#onDrain = events.onDrain
    this.#onFlood = events.onFlood
    this.lastWriteMs = now()
  }

  /** Makes room for `bytes` bytes and gives the offset in {@link chunk} where they are to be written at once. */
  take(bytes: number): number {
    if (this.#end + bytes > this.chunk.length) {
      this.#hand()
      this.chunk = Buffer.allocUnsafeSlow(Math.max(CHUNK, bytes))
      this.#start = 0
      this.#end = 0
    }
    const offset = this.#end
    this.#end += bytes
    if (this.#turn === undefined && !this.#closed) this.#turn = setImmediate(this.#flush)
    return offset
  }

  /** Adds bytes that nobody changes any more. */
  append(bytes: Uint8Array): void {
    if (bytes.length > COPY_MAX) {
      this.take(0)
      this.#hand()
      this.#write(bytes)
    } else {
      // the offset first: making room may change the chunk
      const offset = this.take(bytes.length)
      this.chunk.set(bytes, offset)
    }
  }

  /** Adds a packet of four bytes: type, length 2, packet id. */
  acknowledge(type: number, packetId: number): void {
    this.#answers += 1
    if (this.#answers > MAX_ANSWERS) {
      this.#onFlood()
      return
    }
    this.#newAnswers += 1
    const offset = this.take(4)
    const { chunk } = this
    chunk[offset] = type
    chunk[offset + 1] = 2
    chunk[offset + 2] = packetId >> 8
    chunk[offset + 3] = packetId & 255
  }

  /** Hands everything over now. */
  flush(): void {
    this.#flush()
  }

  /** Nothing is written any more; what was not handed over is dropped. */
  close(): void {
    this.#closed = true
    if (this.#turn !== undefined) clearImmediate(this.#turn)
    this.#turn = undefined
  }

  /** Calls `done` once everything added so far was taken by the system. It is not called when the link ends before. */
  whenWritten(done: () => void): void {
    this.#flush()
    if (this.#closed) return
    this.#stream.write(Buffer.alloc(0), (error) => {
      if (!error) done()
    })
  }

  readonly #flush = (): void => {
    if (this.#turn !== undefined) clearImmediate(this.#turn)
    this.#turn = undefined
    if (this.#closed) return
    this.#hand()
    if (this.#corked) {
      this.#corked = false
      this.#stream.uncork()
    }
  }

  #hand(): void {
    if (this.#start === this.#end) return
    this.#write(this.chunk.subarray(this.#start, this.#end))
    this.#start = this.#end
  }

  #write(bytes: Uint8Array): void {
    if (this.#closed) return
    if (!this.#corked) {
      this.#corked = true
      this.#stream.cork()
    }
    this.lastWriteMs = this.#now()
    this.stalledSinceMs ??= this.lastWriteMs
    this.#answersOfWrites.push(this.#newAnswers)
    this.#newAnswers = 0
    this.#stream.write(bytes, this.#onWritten)
    if (this.#stream.writableLength > HIGH) this.blocked = true
  }

  readonly #onWritten = (error?: Error | null): void => {
    if (error || this.#closed) return
    const waiting = this.#stream.writableLength
    this.stalledSinceMs = waiting === 0 ? undefined : this.#now()
    this.#answers -= this.#answersOfWrites.shift() ?? 0
    if (this.blocked && waiting < LOW) {
      this.blocked = false
      this.#onDrain()
    }
  }
}
