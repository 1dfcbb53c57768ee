import { Cursor, uvarintSize, writeUvarint } from '../session/bytes.ts'
import type { PreparedBatch } from './record-batch.ts'

/*
 * Produce, version 9: transactionalId (null) | acks int16 | timeoutMs int32 | topics: name, partitions: index int32, records,
 * with tagged fields (none) after each structure. One batch a partition.
 */

/** Number and version of Produce. */
export const PRODUCE = { key: 0, version: 9 } as const

/** One batch on its way to its partition. */
export interface ProducePart {
  /** The topic's name. */
  readonly topic: string
  /** The partition. */
  readonly partition: number
  /** What is sent. */
  readonly batch: PreparedBatch
}

/** What a broker answered for one partition. */
export interface ProduceResult {
  /** The topic's name. */
  readonly topic: string
  /** The partition. */
  readonly partition: number
  /** 0, or the number of an error. */
  readonly errorCode: number
  /** Which records of the batch the broker would not have, where it says so. */
  readonly culprits: readonly number[]
  /** The broker's text. */
  readonly text: string
}

/** Writes the request without its header. */
export function writeProduce(acks: number, timeoutMs: number, parts: readonly ProducePart[]): Buffer {
  const topics = groupParts(parts)
  let bytes = 7 + uvarintSize(topics.size + 1) + 1
  for (const [topic, list] of topics) {
    const name = Buffer.byteLength(topic)
    bytes += uvarintSize(name + 1) + name + uvarintSize(list.length + 1) + 1
    for (const { batch } of list) bytes += 4 + uvarintSize(batch.bytes + 1) + batch.bytes + 1
  }
  const body = Buffer.allocUnsafe(bytes)
  body[0] = 0
  body.writeInt16BE(acks, 1)
  body.writeInt32BE(timeoutMs, 3)
  let at = writeUvarint(body, topics.size + 1, 7)
  for (const [topic, list] of topics) {
    at = writeUvarint(body, Buffer.byteLength(topic) + 1, at)
    at += body.write(topic, at)
    at = writeUvarint(body, list.length + 1, at)
    for (const { partition, batch } of list) {
      at = body.writeInt32BE(partition, at)
      at = writeUvarint(body, batch.bytes + 1, at)
      at = batch.write(body, at)
      body[at] = 0
      at += 1
    }
    body[at] = 0
    at += 1
  }
  body[at] = 0
  return body
}

/** Reads the answer without its header. */
export function readProduce(body: Buffer): ProduceResult[] {
  const cursor = new Cursor(body)
  const results: ProduceResult[] = []
  for (let topics = cursor.compactLength(); topics > 0; topics -= 1) {
    const topic = cursor.compactString()
    for (let partitions = cursor.compactLength(); partitions > 0; partitions -= 1) {
      results.push(readPartition(cursor, topic))
    }
    cursor.skipTags()
  }
  return results
}

function readPartition(cursor: Cursor, topic: string): ProduceResult {
  const partition = cursor.int32()
  const errorCode = cursor.int16()
  // base offset, append time and start of the log
  cursor.take(24)
  const culprits: number[] = []
  const texts: string[] = []
  for (let errors = cursor.compactLength(); errors > 0; errors -= 1) {
    culprits.push(cursor.int32())
    texts.push(cursor.compactString())
    cursor.skipTags()
  }
  const text = cursor.compactString()
  cursor.skipTags()
  return {
    topic,
    partition,
    errorCode,
    culprits,
    text: [text, ...texts].filter((one) => one !== '').join('; '),
  }
}

function groupParts(parts: readonly ProducePart[]): Map<string, ProducePart[]> {
  const topics = new Map<string, ProducePart[]>()
  for (const part of parts) {
    const list = topics.get(part.topic)
    if (list === undefined) topics.set(part.topic, [part])
    else list.push(part)
  }
  return topics
}
