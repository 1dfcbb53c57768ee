import type { Message } from '../../contract/index.ts'
import type { LaneIndex } from '../entry.ts'

/*
 * A record is one message:
 *
 *   length u32 | flags u16 | id length u16 | topic length u32
 *   [expires at f64] [sequence in its lane f64 | lane u32] [key length u32] [headers length u32] [error length u32]
 *   id | topic | key | headers as JSON | error as JSON | payload
 *
 * What stands in brackets is there when its flag is. Text is UTF-8.
 */

const EXPIRES = 1
const ASIDE = 2
const KEY = 4
const HEADERS = 8
const ERROR = 16
const FIXED_BYTES = 12
const OPTIONAL_BYTES = 8 + 12 + 4 + 4 + 4
/** No character of a string takes more UTF-8 bytes for each of its code units. */
const UTF8_MAX = 3

/** Where a message that lies in a side log comes from. */
export interface Origin {
  /** Its class. */
  readonly lane: LaneIndex
  /** Its sequence in the log of its class. */
  readonly sequence: number
}

/** Why a message is dead, as it is kept. */
export interface KeptError {
  /** The code of the error. */
  readonly code: string
  /** Its text. */
  readonly message: string
  /** When, in milliseconds since 1970. */
  readonly atMs: number
}

/** What stands beside the message in a record. */
export interface RecordExtras {
  /** When it becomes too old, in milliseconds since 1970. */
  readonly expiresAtMs?: number | undefined
  /** In a side log: where it comes from. */
  readonly origin?: Origin | undefined
  /** Among the dead letters: why. */
  readonly error?: KeptError | undefined
}

/** A record as it was read. */
export interface LogRecord extends RecordExtras {
  /** The message; its payload is a view of what was read. */
  readonly message: Message
  /** Where the next record begins. */
  readonly end: number
}

/** How many bytes the record of a message takes at most. */
export function recordBound(
  { id, topic, key, headers, payload }: Message,
  error: KeptError | undefined,
): number {
  let text = id.length + topic.length
  if (key !== undefined) text += key.length
  if (headers !== undefined) text += JSON.stringify(headers).length
  if (error !== undefined) text += JSON.stringify(error).length
  return FIXED_BYTES + OPTIONAL_BYTES + text * UTF8_MAX + payload.byteLength
}

/** Writes a record at `start`; gives where it ends. */
export function encodeRecord(bytes: Buffer, start: number, message: Message, extras: RecordExtras): number {
  const { id, topic, key, headers, payload } = message
  const { expiresAtMs, origin, error } = extras
  let flags = 0
  let at = start + FIXED_BYTES
  if (expiresAtMs !== undefined) {
    flags |= EXPIRES
    at = bytes.writeDoubleLE(expiresAtMs, at)
  }
  if (origin !== undefined) {
    flags |= ASIDE
    at = bytes.writeDoubleLE(origin.sequence, at)
    at = bytes.writeUInt32LE(origin.lane, at)
  }
  const lengths = at
  if (key !== undefined) {
    flags |= KEY
    at += 4
  }
  if (headers !== undefined) {
    flags |= HEADERS
    at += 4
  }
  if (error !== undefined) {
    flags |= ERROR
    at += 4
  }
  const idBytes = bytes.write(id, at)
  at += idBytes
  const topicBytes = bytes.write(topic, at)
  at += topicBytes
  if (flags >= KEY) at = encodeTexts(bytes, lengths, at, key, headers, error)
  bytes.set(payload, at)
  at += payload.byteLength
  bytes.writeUInt32LE(at - start, start)
  bytes.writeUInt16LE(flags, start + 4)
  bytes.writeUInt16LE(idBytes, start + 6)
  bytes.writeUInt32LE(topicBytes, start + 8)
  return at
}

function encodeTexts(
  bytes: Buffer,
  lengths: number,
  start: number,
  key: string | undefined,
  headers: Message['headers'],
  error: KeptError | undefined,
): number {
  let at = start
  let length = lengths
  for (const text of [
    key,
    headers === undefined ? undefined : JSON.stringify(headers),
    error === undefined ? undefined : JSON.stringify(error),
  ]) {
    if (text === undefined) continue
    const written = bytes.write(text, at)
    length = bytes.writeUInt32LE(written, length)
    at += written
  }
  return at
}

/**
 * Reads the record at `start`.
 *
 * @throws RangeError when it does not fit into the buffer: the frame is not what its checksum says.
 */
export function decodeRecord(bytes: Buffer, start: number): LogRecord {
  const end = start + bytes.readUInt32LE(start)
  const flags = bytes.readUInt16LE(start + 4)
  const idBytes = bytes.readUInt16LE(start + 6)
  const topicBytes = bytes.readUInt32LE(start + 8)
  if (end > bytes.length || end < start + FIXED_BYTES)
    throw new RangeError('a record is longer than its frame')
  let at = start + FIXED_BYTES
  const has = (flag: number) => (flags & flag) !== 0
  const expiresAtMs = has(EXPIRES) ? bytes.readDoubleLE(at) : undefined
  if (has(EXPIRES)) at += 8
  const origin = has(ASIDE)
    ? { sequence: bytes.readDoubleLE(at), lane: laneOf(bytes.readUInt32LE(at + 8)) }
    : undefined
  if (has(ASIDE)) at += 12
  const lengthOf = (flag: number) => {
    if (!has(flag)) return 0
    at += 4
    return bytes.readUInt32LE(at - 4)
  }
  const keyBytes = lengthOf(KEY)
  const headersBytes = lengthOf(HEADERS)
  const errorBytes = lengthOf(ERROR)
  const text = (length: number) => {
    at += length
    return bytes.toString('utf8', at - length, at)
  }
  const id = text(idBytes)
  const topic = text(topicBytes)
  const key = has(KEY) ? text(keyBytes) : undefined
  const headers: Message['headers'] = has(HEADERS) ? JSON.parse(text(headersBytes)) : undefined
  const error: KeptError | undefined = has(ERROR) ? JSON.parse(text(errorBytes)) : undefined
  if (at > end) throw new RangeError('a record is longer than it says')
  const message: Message = { id, topic, payload: bytes.subarray(at, end), key, headers }
  return { message, expiresAtMs, origin, error, end }
}

function laneOf(value: number): LaneIndex {
  return value === 0 ? 0 : value === 1 ? 1 : 2
}
