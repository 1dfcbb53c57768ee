import { Cursor, uvarintSize, writeUvarint } from '../session/bytes.ts'
import type { KafkaOptions } from '../options.ts'

/*
 * Fetch, version 12: replicaId -1 | maxWaitMs, minBytes, maxBytes int32 | isolation int8 | no session | topics: name, partitions:
 * index int32, leaderEpoch -1, offset int64, lastEpoch -1, logStart -1, maxBytes int32 | nothing forgotten | no rack.
 */

/** Number and version of Fetch. */
export const FETCH = { key: 1, version: 12 } as const

const PARTITION_BYTES = 33

/** Where to read on. */
export interface FetchPosition {
  /** The topic's name. */
  readonly topic: string
  /** The partition. */
  readonly index: number
  /** The offset of the next message. */
  readonly offset: number
}

/** What a broker gave for one partition. */
export interface FetchedPartition {
  /** The topic's name. */
  readonly topic: string
  /** The partition. */
  readonly index: number
  /** 0, or the number of an error. */
  readonly errorCode: number
  /** The offset behind the last message of the partition. */
  readonly highWatermark: number
  /** The offset of the first message that is still there. */
  readonly logStart: number
  /** Transactions that were given up: the producer, and the offset of its first message. */
  readonly aborted: readonly { readonly producerId: bigint; readonly firstOffset: number }[]
  /** Record batches; the last one may be cut off. */
  readonly records: Buffer
}

/** What a broker gave. */
export interface Fetched {
  /** 0, or the number of an error. */
  readonly errorCode: number
  /** By partition. */
  readonly partitions: readonly FetchedPartition[]
}

/** Writes the request without its header. */
export function writeFetch(
  positions: readonly FetchPosition[],
  maxWaitMs: number,
  { fetchMaxBytes, isolation }: KafkaOptions,
): Buffer {
  const topics = new Map<string, FetchPosition[]>()
  for (const position of positions) {
    const list = topics.get(position.topic)
    if (list === undefined) topics.set(position.topic, [position])
    else list.push(position)
  }
  let bytes = 25 + uvarintSize(topics.size + 1) + 3
  for (const [topic, list] of topics) {
    const name = Buffer.byteLength(topic)
    bytes += uvarintSize(name + 1) + name + uvarintSize(list.length + 1) + list.length * PARTITION_BYTES + 1
  }
  const body = Buffer.allocUnsafe(bytes)
  let at = body.writeInt32BE(-1, 0)
  at = body.writeInt32BE(maxWaitMs, at)
  at = body.writeInt32BE(maxWaitMs === 0 ? 0 : 1, at)
  at = body.writeInt32BE(Math.min(fetchMaxBytes * 8, 0x7fff_ffff), at)
  at = body.writeInt8(isolation === 'read_committed' ? 1 : 0, at)
  at = body.writeInt32BE(0, at)
  at = body.writeInt32BE(-1, at)
  at = writeUvarint(body, topics.size + 1, at)
  for (const [topic, list] of topics) {
    at = writeUvarint(body, Buffer.byteLength(topic) + 1, at)
    at += body.write(topic, at)
    at = writeUvarint(body, list.length + 1, at)
    for (const { index, offset } of list) {
      at = body.writeInt32BE(index, at)
      at = body.writeInt32BE(-1, at)
      at = body.writeBigInt64BE(BigInt(offset), at)
      at = body.writeInt32BE(-1, at)
      at = body.writeBigInt64BE(-1n, at)
      at = body.writeInt32BE(fetchMaxBytes, at)
      at = body.writeUInt8(0, at)
    }
    at = body.writeUInt8(0, at)
  }
  // nothing forgotten, no rack, no tags
  at = writeUvarint(body, 1, at)
  at = writeUvarint(body, 1, at)
  body[at] = 0
  return body
}

/** Reads the answer without its header. Records are views of it. */
export function readFetch(body: Buffer): Fetched {
  const cursor = new Cursor(body)
  cursor.int32()
  const errorCode = cursor.int16()
  cursor.int32()
  const partitions: FetchedPartition[] = []
  for (let topics = cursor.compactLength(); topics > 0; topics -= 1) {
    const topic = cursor.compactString()
    for (let left = cursor.compactLength(); left > 0; left -= 1) partitions.push(readPartition(cursor, topic))
    cursor.skipTags()
  }
  return { errorCode, partitions }
}

function readPartition(cursor: Cursor, topic: string): FetchedPartition {
  const index = cursor.int32()
  const errorCode = cursor.int16()
  const highWatermark = cursor.int64()
  // the last stable offset: the broker gives nothing behind it
  cursor.int64()
  const logStart = cursor.int64()
  const aborted: { producerId: bigint; firstOffset: number }[] = []
  for (let left = cursor.compactLength(); left > 0; left -= 1) {
    const producerId = cursor.take(8).readBigInt64BE()
    aborted.push({ producerId, firstOffset: cursor.int64() })
    cursor.skipTags()
  }
  cursor.int32()
  const records = cursor.take(cursor.compactLength())
  cursor.skipTags()
  return { topic, index, errorCode, highWatermark, logStart, aborted, records }
}
