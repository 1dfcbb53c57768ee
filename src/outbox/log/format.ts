import { crc32 } from 'node:zlib'

/*
 * The files of an outbox, format 1. All numbers are little-endian; sequences, times and sums are doubles that hold whole
 * numbers.
 *
 *   lock                                     a socket: whoever listens on it is the one writer
 *   cursor.0, cursor.1                       what is over, and the account; written in turn (cursor.ts)
 *   LOG-SERIAL-FIRST-NONCE.segment             a segment of the log LOG: control, alarm, telemetry, parked or dead
 *
 * A segment begins with its header, twice, at 0 and at 512; frames follow from 1024 on, one after another.
 *
 *   header  64 B   magic | crc of 8..64 | version | nonce | first sequence | made at | payload bytes before | zeros
 *   frame   64 B   magic | crc of 8..length | length | nonce | records | flags | first sequence | written at |
 *                  payload bytes before | safe sequence | payload bytes, and then the records (record.ts)
 *
 * Invariants:
 *
 * - Sequences of a log count up by one from 1, and are never gaps in what was written. A segment holds the sequences from its
 *   first up to the next segment's first (by serial): frames of others are ignored, since after a failed write
 *   the same records stand again at the start of the next segment.
 * - A frame belongs to a segment only by the segment's random nonce, so that old bytes of a reused block never pass for one.
 * - A frame holds at most 64 KiB, or one record. It is valid as a whole or not at all: that is what one damaged byte can cost. One
 *   checksum for each record costs 0.12 to 0.18 µs a message, one for each frame 0.03.
 * - Frames are only ever appended, and each start of the process begins a new segment: nothing is cut off or overwritten.
 * - "payload bytes before" counts the payloads of the log from its beginning, so that the size of any gap is known.
 * - "safe sequence" is the last one that had been synced when the frame was made: an invalid frame below it was damaged later,
 *   one above it may be what a power cut left of a write that nobody was told of.
 *
 * Reading: an invalid frame is passed over to the next place with a frame's magic, nonce and checksum. Sequences that are
 * missing then are lost; the others go on.
 */

/** The version that this code writes. It reads every version up to this one. */
export const FORMAT_VERSION = 1
/** The bytes before the first frame of a segment. */
export const SEGMENT_HEADER_BYTES = 1024
/** The bytes before the records of a frame. */
export const FRAME_HEADER_BYTES = 64
/** A frame with more than one record is at most so large. */
export const MAX_FRAME_BYTES = 64 * 1024
/** What claims to be larger is no frame. */
const MAX_RECORD_BYTES = 512 * 1024 * 1024
/** The flag of a frame whose records are encrypted. */
export const ENCRYPTED = 1

const SEGMENT_MAGIC = 0x4753_4842
const FRAME_MAGIC = 0x5246_4842
const HEADER_BYTES = 64
const SECOND_HEADER = 512
const FRAME_MAGIC_BYTES = Buffer.from('BHFR', 'latin1')

/** What the header of a segment says. */
export interface SegmentHeader {
  /** The format. */
  readonly version: number
  /** What its frames carry. */
  readonly nonce: number
  /** The first sequence. */
  readonly first: number
  /** Payload bytes in the log before it. */
  readonly bytesBefore: number
}

/** Makes the start of a segment. */
export function encodeSegmentHeader(
  { nonce, first, bytesBefore }: Omit<SegmentHeader, 'version'>,
  atMs: number,
): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES)
  bytes.writeUInt32LE(SEGMENT_MAGIC, 0)
  bytes.writeUInt32LE(FORMAT_VERSION, 8)
  bytes.writeUInt32LE(nonce, 12)
  bytes.writeDoubleLE(first, 16)
  bytes.writeDoubleLE(atMs, 24)
  bytes.writeDoubleLE(bytesBefore, 32)
  bytes.writeUInt32LE(crc32(bytes.subarray(8, HEADER_BYTES)), 4)
  bytes.copy(bytes, SECOND_HEADER, 0, HEADER_BYTES)
  return bytes
}

/** Reads the start of a segment; `undefined` when neither header is intact. */
export function decodeSegmentHeader(bytes: Buffer): SegmentHeader | undefined {
  for (const at of [0, SECOND_HEADER]) {
    if (bytes.length < at + HEADER_BYTES || bytes.readUInt32LE(at) !== SEGMENT_MAGIC) continue
    if (crc32(bytes.subarray(at + 8, at + HEADER_BYTES)) !== bytes.readUInt32LE(at + 4)) continue
    return {
      version: bytes.readUInt32LE(at + 8),
      nonce: bytes.readUInt32LE(at + 12),
      first: bytes.readDoubleLE(at + 16),
      bytesBefore: bytes.readDoubleLE(at + 32),
    }
  }
  return undefined
}

/** What the header of a frame says. */
export interface FrameHeader {
  /** How many records it holds. */
  readonly count: number
  /** {@link ENCRYPTED} or 0. */
  readonly flags: number
  /** The sequence of its first record. */
  readonly first: number
  /** Payload bytes in the log before it. */
  readonly bytesBefore: number
  /** Payload bytes in it. */
  readonly payloadBytes: number
}

/** Fills in the header of a frame that lies at `start..end`; `sealFrame()` makes it valid. */
export function encodeFrameHeader(bytes: Buffer, start: number, end: number, header: FrameHeader): void {
  bytes.writeUInt32LE(FRAME_MAGIC, start)
  bytes.writeUInt32LE(end - start, start + 8)
  bytes.writeUInt32LE(header.count, start + 16)
  bytes.writeUInt32LE(header.flags, start + 20)
  bytes.writeDoubleLE(header.first, start + 24)
  bytes.writeDoubleLE(header.bytesBefore, start + 40)
  bytes.writeDoubleLE(header.payloadBytes, start + 56)
}

/** Makes a frame part of a segment: what depends on where and when it is written, and the checksum. */
export function sealFrame(
  bytes: Buffer,
  start: number,
  end: number,
  nonce: number,
  safe: number,
  atMs: number,
): void {
  bytes.writeUInt32LE(nonce, start + 12)
  bytes.writeDoubleLE(atMs, start + 32)
  bytes.writeDoubleLE(safe, start + 48)
  bytes.writeUInt32LE(crc32(bytes.subarray(start + 8, end)), start + 4)
}

/** A valid frame in a buffer. */
export interface Frame extends FrameHeader {
  /** Where it lies in its file. */
  readonly position: number
  /** The bytes of its records. */
  readonly body: Buffer
  /** The last sequence that had been synced when it was written. */
  readonly safe: number
}

/**
 * Reads the frame at `at`.
 *
 * @param end - where the buffer's bytes end
 * @param left - how many bytes the file still has from `at` on
 * @returns the frame; `more` with how many bytes it needs; `undefined` when there is none
 */
export function readFrame(
  bytes: Buffer,
  at: number,
  end: number,
  left: number,
  nonce: number,
  position: number,
): Frame | { readonly more: number } | undefined {
  if (left < FRAME_HEADER_BYTES) return undefined
  if (end - at < FRAME_HEADER_BYTES) return { more: FRAME_HEADER_BYTES }
  if (bytes.readUInt32LE(at) !== FRAME_MAGIC || bytes.readUInt32LE(at + 12) !== nonce) return undefined
  const length = bytes.readUInt32LE(at + 8)
  if (length < FRAME_HEADER_BYTES || length > left || length > MAX_RECORD_BYTES) return undefined
  if (end - at < length) return { more: length }
  if (crc32(bytes.subarray(at + 8, at + length)) !== bytes.readUInt32LE(at + 4)) return undefined
  return {
    position,
    count: bytes.readUInt32LE(at + 16),
    flags: bytes.readUInt32LE(at + 20),
    first: bytes.readDoubleLE(at + 24),
    bytesBefore: bytes.readDoubleLE(at + 40),
    safe: bytes.readDoubleLE(at + 48),
    payloadBytes: bytes.readDoubleLE(at + 56),
    body: bytes.subarray(at + FRAME_HEADER_BYTES, at + length),
  }
}

/** Where the next frame may begin after `from`; `end` less what may be the start of a magic when there is none. */
export function nextFrameAt(bytes: Buffer, from: number, end: number): number {
  const found = bytes.indexOf(FRAME_MAGIC_BYTES, from)
  if (found >= 0 && found < end) return found
  return Math.max(from, end - FRAME_MAGIC_BYTES.length + 1)
}

const NAME = /^(control|alarm|telemetry|parked|dead)-(\d{8})-(\d{16})-([0-9a-f]{8})\.segment$/

/** The logs of an outbox. */
export const LOG_NAMES = ['control', 'alarm', 'telemetry', 'parked', 'dead'] as const
/** One of {@link LOG_NAMES}. */
export type LogName = (typeof LOG_NAMES)[number]

/** What the name of a segment's file says. */
export interface SegmentName {
  /** The name itself. */
  readonly file: string
  /** Its log. */
  readonly log: string
  /** Segments of a log count up. */
  readonly serial: number
  /** The first sequence. */
  readonly first: number
  /** What its frames carry. */
  readonly nonce: number
}

/** The name of a segment's file. */
export function segmentFile(log: LogName, serial: number, first: number, nonce: number): string {
  const digits = (value: number, places: number) => String(value).padStart(places, '0')
  return `${log}-${digits(serial, 8)}-${digits(first, 16)}-${nonce.toString(16).padStart(8, '0')}.segment`
}

/** Reads the name of a segment's file; `undefined` for other files. */
export function parseSegmentFile(file: string): SegmentName | undefined {
  const match = NAME.exec(file)
  if (match === null) return undefined
  const [, log = '', serial, first, nonce = ''] = match
  return { file, log, serial: Number(serial), first: Number(first), nonce: Number.parseInt(nonce, 16) }
}
