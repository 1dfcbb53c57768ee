import type { Message } from '../../../contract/index.ts'
import { varintSize, writeVarint } from '../session/bytes.ts'
import type { Driver } from '../session/driver.ts'
import type { KafkaOptions } from '../options.ts'

/*
 * Record batches of format 2 (Kafka 0.11 and later), written straight into the request that carries them:
 *
 *   baseOffset int64 | length int32 | leaderEpoch int32 | magic 2 | crc32c uint32 over all that follows |
 *   attributes int16 | lastOffsetDelta int32 | firstTimestamp, maxTimestamp int64 | producerId int64 | epoch int16 |
 *   baseSequence int32 | count int32 | records, perhaps compressed
 *
 * A record: length | attributes | timestampDelta | offsetDelta | key | value | headers, lengths as varints. All records of a
 * batch get one timestamp: the batch was handed over in one turn.
 */

/** The header that carries a message's id. */
export const ID_HEADER = 'backhaul-id'

const BATCH_HEAD = 61
const CRC_AT = 17
const ATTRIBUTES_AT = 21
const ID_NAME = Buffer.from(ID_HEADER)
const COMPRESSION_BITS = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const

/** A message with its parts as bytes, and the size of its record without its length. */
export interface Encoded {
  /** The message. */
  readonly message: Message
  /** Its key in UTF-8. */
  readonly key: Buffer | undefined
  /** Names and values of its headers in UTF-8, the id's first. */
  readonly headers: readonly Buffer[]
  /** Bytes of its record, but for its length, and with an offset of one byte. */
  readonly size: number
}

/** Who sends: for the broker to drop repeats. */
export interface ProducerIdentity {
  /** Given by the broker; -1 for none. */
  readonly id: bigint
  /** Given by the broker; -1 for none. */
  readonly epoch: number
}

/** Nobody: the broker does not look for repeats. */
export const ANONYMOUS: ProducerIdentity = { id: -1n, epoch: -1 }

/** A batch that is ready to be written into a request. */
export interface PreparedBatch {
  /** How many bytes it takes. */
  readonly bytes: number
  /** Writes it; gives where the next value begins. */
  readonly write: (request: Buffer, at: number) => number
}

/** Turns a message into what its record is made of. */
export function encodeMessage(message: Message): Encoded {
  const key = message.key === undefined ? undefined : Buffer.from(message.key)
  const headers = [ID_NAME, Buffer.from(message.id)]
  if (message.headers !== undefined) {
    for (const [name, value] of Object.entries(message.headers)) {
      headers.push(Buffer.from(name), Buffer.from(value))
    }
  }
  let size = 3 + (key === undefined ? 1 : sized(key.length)) + sized(message.payload.length)
  size += varintSize(headers.length / 2)
  for (const part of headers) size += sized(part.length)
  return { message, key, headers, size }
}

/** Prepares a batch; compresses its records where asked to. */
export function prepareBatch(
  driver: Driver,
  records: readonly Encoded[],
  compression: KafkaOptions['compression'],
  producer: ProducerIdentity,
  sequence: number,
  timestampMs: number,
): PreparedBatch {
  let bytes = 0
  for (const [index, { size }] of records.entries()) bytes += sized(size - 1 + varintSize(index))
  const head = { count: records.length, producer, sequence, timestampMs, bits: COMPRESSION_BITS[compression] }
  if (compression === 'none') {
    return {
      bytes: BATCH_HEAD + bytes,
      write(request, at) {
        const end = writeRecords(records, request, at + BATCH_HEAD)
        writeHead(driver, request, at, end, head)
        return end
      },
    }
  }
  const plain = Buffer.allocUnsafe(bytes)
  writeRecords(records, plain, 0)
  const packed = driver.compressionsAlgorithms[compression].compressSync(plain)
  return {
    bytes: BATCH_HEAD + packed.length,
    write(request, at) {
      packed.copy(request, at + BATCH_HEAD)
      const end = at + BATCH_HEAD + packed.length
      writeHead(driver, request, at, end, head)
      return end
    },
  }
}

/** CRC-32C of some bytes; the driver's own, native where it can be. */
function crc32c(driver: Driver, bytes: Buffer): number {
  // as one part of a chain, since the bare bytes would be copied first
  return driver.crc32c(driver.Writer.create().append(bytes).dynamicBuffer)
}

interface BatchHead {
  readonly count: number
  readonly producer: ProducerIdentity
  readonly sequence: number
  readonly timestampMs: number
  readonly bits: number
}

function writeHead(driver: Driver, request: Buffer, at: number, end: number, head: BatchHead): void {
  const timestamp = BigInt(head.timestampMs)
  request.fill(0, at, at + 8)
  request.writeInt32BE(end - at - 12, at + 8)
  request.writeInt32BE(-1, at + 12)
  request[at + 16] = 2
  request.writeInt16BE(head.bits, at + 21)
  request.writeInt32BE(head.count - 1, at + 23)
  request.writeBigInt64BE(timestamp, at + 27)
  request.writeBigInt64BE(timestamp, at + 35)
  request.writeBigInt64BE(head.producer.id, at + 43)
  request.writeInt16BE(head.producer.epoch, at + 51)
  request.writeInt32BE(head.sequence, at + 53)
  request.writeInt32BE(head.count, at + 57)
  request.writeUInt32BE(crc32c(driver, request.subarray(at + ATTRIBUTES_AT, end)), at + CRC_AT)
}

function writeRecords(records: readonly Encoded[], bytes: Buffer, start: number): number {
  let at = start
  for (const [index, record] of records.entries()) {
    at = writeVarint(bytes, record.size - 1 + varintSize(index), at)
    bytes[at] = 0
    bytes[at + 1] = 0
    at = writeVarint(bytes, index, at + 2)
    if (record.key === undefined) {
      bytes[at] = 1
      at += 1
    } else at = writeSized(bytes, record.key, at)
    at = writeSized(bytes, record.message.payload, at)
    at = writeVarint(bytes, record.headers.length / 2, at)
    for (const part of record.headers) at = writeSized(bytes, part, at)
  }
  return at
}

function sized(length: number): number {
  return varintSize(length) + length
}

function writeSized(bytes: Buffer, part: Uint8Array, at: number): number {
  const start = writeVarint(bytes, part.length, at)
  bytes.set(part, start)
  return start + part.length
}
