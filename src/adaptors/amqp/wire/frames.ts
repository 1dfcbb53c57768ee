import { FRAME_END, FRAME_OVERHEAD } from './protocol.ts'

const HEAD = 7

/** Takes a frame: its payload is `bytes` from `from` to before `to`, and stays as it is for as long as it is kept. */
export type TakeFrame = (kind: number, channel: number, bytes: Buffer, from: number, to: number) => void

/** Cuts the incoming bytes into frames. What it cannot read throws. */
export class FrameSplitter {
  readonly #take: TakeFrame
  readonly #parts: Buffer[] = []
  #buffered = 0
  #wanted = FRAME_OVERHEAD
  #limit: number

  /** @param limit - the largest frame, in bytes, all of it */
  constructor(limit: number, take: TakeFrame) {
    this.#limit = limit
    this.#take = take
  }

  /** The largest frame from now on, in bytes, all of it. */
  limitTo(bytes: number): void {
    this.#limit = bytes
  }

  /** Takes bytes as they come. */
  push(chunk: Buffer): void {
    this.#parts.push(chunk)
    this.#buffered += chunk.length
    if (this.#buffered < this.#wanted) return
    const bytes = this.#parts.length === 1 ? chunk : Buffer.concat(this.#parts, this.#buffered)
    this.#parts.length = 0
    this.#wanted = FRAME_OVERHEAD
    const at = this.#cut(bytes)
    this.#buffered = bytes.length - at
    if (this.#buffered > 0) this.#parts.push(bytes.subarray(at))
  }

  /** Hands out whole frames and gives where the rest begins. */
  #cut(bytes: Buffer): number {
    let at = 0
    while (bytes.length - at >= FRAME_OVERHEAD) {
      const size = bytes.readUInt32BE(at + 3)
      const end = at + FRAME_OVERHEAD + size
      if (size + FRAME_OVERHEAD > this.#limit) throw new RangeError(`a frame of ${size} bytes`)
      if (end > bytes.length) {
        this.#wanted = end - at
        break
      }
      if (bytes[end - 1] !== FRAME_END) throw new RangeError('a frame without its end')
      this.#take(bytes.readUInt8(at), bytes.readUInt16BE(at + 1), bytes, at + HEAD, end - 1)
      at = end
    }
    return at
  }
}
