import type { Message } from '../../contract/index.ts'
import { CIPHER_OVERHEAD_BYTES } from './cipher.ts'
import type { FrameCipher } from './cipher.ts'
import { encodeFrameHeader, ENCRYPTED, FRAME_HEADER_BYTES, MAX_FRAME_BYTES } from './format.ts'
import type { RecordExtras } from './record.ts'
import { encodeRecord, recordBound } from './record.ts'

/** A buffer that frames are built in, one after another. */
interface Chunk {
  readonly bytes: Buffer
  /** Frames in it that are not safe yet. */
  open: number
}

/** A frame that is complete but for what depends on its segment. */
export interface StagedFrame {
  /** The buffer that it lies in. */
  readonly chunk: Chunk
  /** Where it begins there. */
  readonly start: number
  /** Where it ends. */
  readonly end: number
  /** The sequence of its first record. */
  readonly first: number
  /** The sequence of its last record. */
  readonly last: number
  /** Payload bytes of the log before it. */
  readonly bytesBefore: number
  /** Payload bytes of the log with it. */
  readonly bytesAfter: number
}

const CHUNK_BYTES = 256 * 1024
const KEPT_CHUNKS = 8
const NO_EXTRAS: RecordExtras = {}

/** Builds frames out of records. Buffers go round: in steady state it makes no new ones. */
export class Staging {
  readonly #cipher: FrameCipher | undefined
  readonly #maxFrameBytes: number
  readonly #reserved: number
  readonly #spare: Chunk[] = []
  #frames: StagedFrame[] = []
  #chunk: Chunk = { bytes: Buffer.allocUnsafeSlow(CHUNK_BYTES), open: 0 }
  #start = 0
  #at = 0
  #count = 0
  #first = 1
  #bytesBefore: number
  #bytes: number

  /** @param bytesBefore - payload bytes of the log so far */
  constructor(
    bytesBefore: number,
    { cipher, segmentBytes }: { readonly cipher: FrameCipher | undefined; readonly segmentBytes: number },
  ) {
    this.#maxFrameBytes = Math.min(MAX_FRAME_BYTES, segmentBytes)
    this.#bytesBefore = bytesBefore
    this.#bytes = bytesBefore
    this.#cipher = cipher
    this.#reserved = FRAME_HEADER_BYTES + (cipher === undefined ? 0 : CIPHER_OVERHEAD_BYTES)
  }

  /** Whether there is anything to write. */
  get isEmpty(): boolean {
    return this.#count === 0 && this.#frames.length === 0
  }

  /** Payload bytes of the log, with what is staged. */
  get bytes(): number {
    return this.#bytes
  }

  /** Adds the record of a message. Its bytes are copied. */
  add(sequence: number, message: Message, extras: RecordExtras = NO_EXTRAS): void {
    const bound = recordBound(message, extras.error)
    if (this.#count > 0 && this.#at - this.#start + bound > this.#maxFrameBytes) this.#endFrame()
    if (this.#count === 0) this.#beginFrame(bound, sequence)
    else if (this.#at + bound > this.#chunk.bytes.length) {
      this.#endFrame()
      this.#beginFrame(bound, sequence)
    }
    this.#at = encodeRecord(this.#chunk.bytes, this.#at, message, extras)
    this.#count += 1
    this.#bytes += message.payload.byteLength
  }

  /** Takes every frame that was built, to write it. They stay valid until `release()`. */
  take(): StagedFrame[] {
    if (this.#count > 0) this.#endFrame()
    const frames = this.#frames
    this.#frames = []
    return frames
  }

  /** Frames are safe: their buffers may be used again. */
  release(frames: readonly StagedFrame[]): void {
    for (const { chunk } of frames) {
      chunk.open -= 1
      if (chunk.open > 0) continue
      if (chunk !== this.#chunk) {
        if (chunk.bytes.length === CHUNK_BYTES && this.#spare.length < KEPT_CHUNKS) this.#spare.push(chunk)
      } else if (this.#count === 0) {
        this.#at = 0
      }
    }
  }

  #beginFrame(bound: number, sequence: number): void {
    const room = this.#reserved + bound
    if (this.#at + room > this.#chunk.bytes.length) {
      // what is left of it is given back when its frames are safe
      const old = this.#chunk
      if (old.open === 0 && old.bytes.length === CHUNK_BYTES && this.#spare.length < KEPT_CHUNKS) {
        this.#spare.push(old)
      }
      const spare = room <= CHUNK_BYTES ? this.#spare.pop() : undefined
      this.#chunk = spare ?? { bytes: Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, room)), open: 0 }
      this.#at = 0
    }
    this.#start = this.#at
    this.#at += this.#reserved
    this.#first = sequence
    this.#bytesBefore = this.#bytes
  }

  #endFrame(): void {
    const { bytes } = this.#chunk
    const start = this.#start
    const end = this.#at
    const count = this.#count
    const flags = this.#cipher === undefined ? 0 : ENCRYPTED
    const first = this.#first
    const bytesBefore = this.#bytesBefore
    const payloadBytes = this.#bytes - bytesBefore
    encodeFrameHeader(bytes, start, end, { count, flags, first, bytesBefore, payloadBytes })
    this.#cipher?.seal(bytes, authenticated(bytes, start), start + FRAME_HEADER_BYTES, end)
    this.#chunk.open += 1
    const last = first + count - 1
    this.#frames.push({ chunk: this.#chunk, start, end, first, last, bytesBefore, bytesAfter: this.#bytes })
    this.#count = 0
  }
}

/** The part of a frame's header that is authenticated: count, flags and first sequence. */
function authenticated(bytes: Buffer, start: number): Buffer {
  return bytes.subarray(start + 16, start + 32)
}

/** The same part, made again of a header that was read. */
export function authenticatedHeader(count: number, flags: number, first: number): Buffer {
  const bytes = Buffer.alloc(16)
  bytes.writeUInt32LE(count, 0)
  bytes.writeUInt32LE(flags, 4)
  bytes.writeDoubleLE(first, 8)
  return bytes
}
