import { BackhaulError } from '../../../contract/index.ts'
import { Cursor } from '../session/bytes.ts'
import type { Driver } from '../session/driver.ts'
import type { FetchedPartition } from './fetch-request.ts'

/*
 * Reads record batches of format 2 (see record-batch.ts). A broker gives whole batches: records before the wanted offset are passed
 * over, and so are markers of transactions and, where they were given up, their records. The last batch may be cut off.
 */

const COMPRESSED = 0b111
const CONTROL = 1 << 5
const TRANSACTIONAL = 1 << 4
const HEAD_BYTES = 61
const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const

/** One message as it lies in its partition. */
export interface Stored {
  /** Its offset. */
  readonly offset: number
  /** The time of its batch, which tells a topic from an earlier one of the same name. */
  readonly batchTime: number
  /** Its key, or `undefined` for none. */
  readonly key: Buffer | undefined
  /** Its value; empty where there is none. */
  readonly value: Buffer
  /** Names and values of its headers by turns. */
  readonly headers: readonly Buffer[]
}

/** What was read of a partition. */
export interface ReadRecords {
  /** Messages from the wanted offset on. */
  readonly messages: readonly Stored[]
  /** Where to read on. */
  readonly next: number
}

/**
 * Reads what a broker gave for one partition.
 *
 * @param from - the wanted offset
 * @throws RangeError for bytes that are no record batches
 */
export function readRecords(
  driver: Driver,
  { records, aborted }: FetchedPartition,
  from: number,
): ReadRecords {
  const messages: Stored[] = []
  const open = [...aborted].toSorted((a, b) => b.firstOffset - a.firstOffset)
  const givenUp = new Set<bigint>()
  let next = from
  for (let at = 0; at + HEAD_BYTES <= records.length;) {
    const end = at + 12 + records.readInt32BE(at + 8)
    if (end > records.length) break
    const batch = new Cursor(records.subarray(at, end))
    at = end
    const { base, last, attributes, time, producerId, magic } = readHead(batch)
    if (magic !== 2) throw new RangeError(`record batches of format ${magic} cannot be read`)
    next = Math.max(next, last + 1)
    for (let one = open.at(-1); one !== undefined && one.firstOffset <= last; one = open.at(-1)) {
      givenUp.add(one.producerId)
      open.pop()
    }
    const isTransactional = (attributes & TRANSACTIONAL) !== 0
    if ((attributes & CONTROL) !== 0) {
      if (isTransactional) givenUp.delete(producerId)
    } else if (last >= from && !(isTransactional && givenUp.has(producerId))) {
      readBatch(driver, batch, { attributes, base, time }, from, messages)
    }
  }
  return { messages, next }
}

function readHead(batch: Cursor) {
  const base = batch.int64()
  batch.take(8)
  const magic = batch.int8()
  batch.take(4)
  const attributes = batch.int16()
  const last = base + batch.int32()
  const time = batch.int64()
  batch.take(8)
  const producerId = batch.take(8).readBigInt64BE()
  batch.take(6)
  return { base, last, attributes, time, producerId, magic }
}

function readBatch(
  driver: Driver,
  batch: Cursor,
  { attributes, base, time }: { attributes: number; base: number; time: number },
  from: number,
  messages: Stored[],
): void {
  const count = batch.int32()
  const codec = CODECS[attributes & COMPRESSED]
  if (codec === undefined) throw new RangeError('a record batch is compressed in an unknown way')
  if (!driver.compressionsAlgorithms[codec].available) {
    throw new BackhaulError(
      'UNSUPPORTED',
      `Cannot read messages compressed with ${codec}: this version of Node.js does not have it, use 22.15 or later`,
    )
  }
  const packed = batch.bytes.subarray(batch.at)
  const plain = codec === 'none' ? packed : driver.compressionsAlgorithms[codec].decompressSync(packed)
  const cursor = new Cursor(plain)
  for (let left = count; left > 0; left -= 1) {
    const length = cursor.varint()
    if (length < 0) throw new RangeError('a record has no length')
    const end = cursor.at + length
    cursor.int8()
    cursor.skipVarint()
    const offset = base + cursor.varint()
    if (offset >= from) messages.push(readRecord(cursor, offset, time))
    cursor.at = end
  }
}

function readRecord(cursor: Cursor, offset: number, batchTime: number): Stored {
  const key = sized(cursor)
  const value = sized(cursor) ?? Buffer.alloc(0)
  const headers: Buffer[] = []
  for (let left = cursor.varint(); left > 0; left -= 1) {
    headers.push(sized(cursor) ?? Buffer.alloc(0), sized(cursor) ?? Buffer.alloc(0))
  }
  return { offset, batchTime, key, value, headers }
}

function sized(cursor: Cursor): Buffer | undefined {
  const length = cursor.varint()
  return length < 0 ? undefined : cursor.take(length)
}
