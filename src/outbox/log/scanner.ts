import type { DiskFile } from './disk.ts'
import type { Frame } from './format.ts'
import { FRAME_HEADER_BYTES, nextFrameAt, readFrame } from './format.ts'

const WINDOW_BYTES = 256 * 1024
/** A place that cannot be read is tried in pieces of this size. */
const PIECE_BYTES = 4096

/** Reads the valid frames of a segment from front to back, a window at a time, passing over what is not valid. */
export class FrameScanner {
  readonly #file: DiskFile
  readonly #nonce: number
  #position: number
  #invalidBytes = 0

  /** @param position - where to begin: a frame's place, or the start of the frames */
  constructor(file: DiskFile, nonce: number, position: number) {
    this.#file = file
    this.#nonce = nonce
    this.#position = position
  }

  /** Where the next window begins. */
  get position(): number {
    return this.#position
  }

  /** How many bytes belonged to no valid frame. */
  get invalidBytes(): number {
    return this.#invalidBytes
  }

  /**
   * The next valid frames; none at the end. Their bodies are views of a buffer that is not used again.
   *
   * @param end - where the file ends, or what is written of it
   */
  async read(end: number): Promise<Frame[]> {
    let want = WINDOW_BYTES
    while (this.#position < end) {
      const bytes = Buffer.allocUnsafeSlow(Math.min(want, end - this.#position))
      const got = await this.#fill(bytes)
      if (got === 0) break
      const { frames, more } = this.#parse(bytes, got, end)
      if (frames.length > 0) return frames
      want = Math.max(WINDOW_BYTES, more)
    }
    return []
  }

  #parse(bytes: Buffer, got: number, end: number): { frames: Frame[]; more: number } {
    const frames: Frame[] = []
    const begin = this.#position
    // a file that is shorter than it should be ends here
    const fileEnd = got < bytes.length ? begin + got : end
    let at = 0
    let more = 0
    while (at < got) {
      const frame = readFrame(bytes, at, got, fileEnd - begin - at, this.#nonce, begin + at)
      if (frame === undefined) {
        const next = begin + got >= fileEnd ? nextOrEnd(bytes, at + 1, got) : nextFrameAt(bytes, at + 1, got)
        this.#invalidBytes += next - at
        at = next
      } else if ('more' in frame) {
        more = frame.more
        break
      } else {
        frames.push(frame)
        at = frame.position - begin + lengthOf(frame)
      }
    }
    this.#position = got < bytes.length && at >= got ? end : begin + at
    return { frames, more }
  }

  async #fill(bytes: Buffer): Promise<number> {
    let got = 0
    try {
      while (got < bytes.length) {
        const read = await this.#file.read(bytes, got, bytes.length - got, this.#position + got)
        if (read === 0) break
        got += read
      }
      return got
    } catch (error) {
      if (codeOf(error) !== 'EIO') throw error
    }
    for (let at = got; at < bytes.length; at += PIECE_BYTES) await this.#fillPiece(bytes, at)
    return bytes.length
  }

  /** What cannot be read is zeros, which is no frame. */
  async #fillPiece(bytes: Buffer, at: number): Promise<void> {
    const length = Math.min(PIECE_BYTES, bytes.length - at)
    bytes.fill(0, at, at + length)
    try {
      await this.#file.read(bytes, at, length, this.#position + at)
    } catch (error) {
      if (codeOf(error) !== 'EIO') throw error
    }
  }
}

function nextOrEnd(bytes: Buffer, from: number, end: number): number {
  const next = nextFrameAt(bytes, from, end)
  return next + 4 > end ? end : next
}

function lengthOf({ body }: Frame): number {
  return body.length + FRAME_HEADER_BYTES
}

/** Whether an error says that nothing may be written there. */
export function isReadOnly(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'EROFS' || code === 'EACCES' || code === 'EPERM'
}

/** The system's code of an error, such as `ENOSPC`; `undefined` for others. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}
