import assert from 'node:assert/strict'
import { before, test } from 'node:test'

import fc from 'fast-check'

import { Cursor, writeUvarint, writeVarint } from '../../../../src/adaptors/kafka/session/bytes.ts'
import type { Driver } from '../../../../src/adaptors/kafka/session/driver.ts'
import { loadDriver } from '../../../../src/adaptors/kafka/session/driver.ts'
import {
  ANONYMOUS,
  encodeMessage,
  prepareBatch,
} from '../../../../src/adaptors/kafka/produce/record-batch.ts'
import { readRecords } from '../../../../src/adaptors/kafka/consume/record-reader.ts'
import type { Message } from '../../../../src/contract/index.ts'

let driver: Driver
before(async () => {
  driver = await loadDriver()
})

const messages: fc.Arbitrary<Message[]> = fc.array(
  fc.record({
    id: fc.string({ unit: 'binary', maxLength: 40 }),
    topic: fc.constant('t'),
    payload: fc.uint8Array({ maxLength: 300 }),
    key: fc.option(fc.string({ unit: 'binary', maxLength: 200 }), { nil: undefined }),
    headers: fc.option(
      fc.dictionary(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary', maxLength: 200 })),
      { nil: undefined },
    ),
  }),
  { minLength: 1, maxLength: 200 },
)

function encode(list: readonly Message[], compression: 'none' | 'gzip' | 'snappy' | 'lz4', padding: number) {
  const records = list.map(encodeMessage)
  const batch = prepareBatch(driver, records, compression, ANONYMOUS, -1, 1_700_000_000_000)
  const bytes = Buffer.alloc(padding + batch.bytes)
  assert.equal(batch.write(bytes, padding), bytes.length)
  return bytes.subarray(padding)
}

const part = (records: Buffer) => ({
  topic: 't',
  index: 0,
  errorCode: 0,
  highWatermark: 0,
  logStart: 0,
  aborted: [],
  records,
})

test('prepareBatch() writes what readRecords() reads, whatever is in it', () => {
  const compression = fc.constantFrom('none' as const, 'gzip' as const, 'snappy' as const, 'lz4' as const)
  fc.assert(
    fc.property(messages, compression, fc.nat({ max: 20 }), (list, codec, padding) => {
      const { messages: read, next } = readRecords(driver, part(encode(list, codec, padding)), 0)
      assert.equal(next, list.length)
      assert.deepEqual(
        read.map(({ offset }) => offset),
        list.map((_, index) => index),
      )
      for (const [index, { key, value, headers }] of read.entries()) {
        const sent = list[index]
        assert.ok(sent !== undefined)
        assert.deepEqual(Buffer.from(value), Buffer.from(sent.payload))
        assert.equal(key?.toString(), sent.key === undefined ? undefined : Buffer.from(sent.key).toString())
        const pairs = Object.entries(sent.headers ?? {}).flat()
        assert.deepEqual(
          headers.map(String),
          ['backhaul-id', sent.id, ...pairs].map((text) => Buffer.from(text).toString()),
        )
      }
    }),
    { numRuns: 60 },
  )
})

test("prepareBatch() writes what the driver's own codec reads", () => {
  fc.assert(
    fc.property(messages, (list) => {
      const [batch] = driver.readRecordsBatches(driver.Reader.from(encode(list, 'none', 0)))
      assert.ok(batch !== undefined)
      assert.equal(batch.records.length, list.length)
      assert.equal(Number(batch.firstTimestamp), 1_700_000_000_000)
      for (const [index, record] of batch.records.entries()) {
        assert.deepEqual(Buffer.from(record.value ?? []), Buffer.from(list[index]?.payload ?? []))
      }
    }),
    { numRuns: 30 },
  )
})

test('readRecords() begins at the wanted offset, and leaves a batch that is cut off for later', () => {
  const message = (id: string) => ({
    id,
    topic: 't',
    payload: Buffer.from(id),
    key: undefined,
    headers: undefined,
  })
  const first = encode(['a', 'b', 'c'].map(message), 'none', 0)
  const second = encode(['d', 'e'].map(message), 'none', 0)
  second.writeBigInt64BE(3n, 0)
  const both = Buffer.concat([first, second])
  const texts = (bytes: Buffer, from: number) => {
    const read = readRecords(driver, part(bytes), from)
    return [read.messages.map(({ value }) => value.toString()).join(''), read.next]
  }
  assert.deepEqual(texts(both, 0), ['abcde', 5])
  assert.deepEqual(texts(both, 2), ['cde', 5])
  assert.deepEqual(texts(both, 4), ['e', 5])
  for (let length = first.length; length < both.length; length += 1) {
    assert.deepEqual(texts(both.subarray(0, length), 1), ['bc', 3])
  }
})

test('readRecords() of damaged bytes throws, or reads something, and never hangs', () => {
  const list = ['a', 'b'].map((id) => ({
    id,
    topic: 't',
    payload: Buffer.from(id),
    key: 'k',
    headers: { h: 'v' },
  }))
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 8 }),
      (changes) => {
        const bytes = Buffer.from(encode(list, 'none', 0))
        for (const [at, value] of changes) bytes[at % bytes.length] = value
        try {
          readRecords(driver, part(bytes), 0)
        } catch (error) {
          assert.ok(error instanceof Error)
        }
      },
    ),
  )
})

test('varints come back as they were written', () => {
  const bytes = Buffer.alloc(8)
  fc.assert(
    fc.property(fc.nat({ max: 0x7fff_ffff }), (value) => {
      const end = writeUvarint(bytes, value, 1)
      const cursor = new Cursor(bytes, 1)
      assert.equal(cursor.uvarint(), value)
      assert.equal(cursor.at, end)
    }),
  )
  fc.assert(
    fc.property(fc.nat({ max: 0x3fff_ffff }), (value) => {
      writeVarint(bytes, value, 0)
      assert.equal(new Cursor(bytes).varint(), value)
    }),
  )
  assert.equal(new Cursor(Buffer.from([1])).varint(), -1)
  assert.throws(() => new Cursor(Buffer.from([0x80, 0x80, 0x80, 0x80, 0x80, 1])).uvarint(), RangeError)
})
