import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { FrameReader } from '../../../../src/adaptors/shared/mqtt/frames.ts'
import { ProtocolViolation } from '../../../../src/adaptors/shared/mqtt/protocol-error.ts'

/** A packet of any type with so many bytes behind its fixed header. */
function packet(length: number): Buffer {
  const head = [0x30]
  for (let rest = length; ; rest >>>= 7) {
    head.push(rest > 127 ? (rest & 127) | 128 : rest)
    if (rest <= 127) break
  }
  return Buffer.concat([Buffer.from(head), Buffer.alloc(length, length % 251)])
}

/** What comes out when the bytes come in pieces of these sizes; the last piece is the rest. */
function read(bytes: Buffer, sizes: readonly number[]): { whole: Buffer[]; bodies: number[] } {
  const whole: Buffer[] = []
  const bodies: number[] = []
  const reader = new FrameReader(100_000, (from, start, body, end) => {
    whole.push(Buffer.from(from.subarray(start, end)))
    bodies.push(end - body)
  })
  let at = 0
  for (const size of sizes) {
    reader.push(bytes.subarray(at, at + size))
    at += size
  }
  reader.push(bytes.subarray(at))
  return { whole, bodies }
}

test('FrameReader hands on every packet once and whole, however the bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.integer({ min: 0, max: 300 }), fc.constantFrom(127, 128, 16_383, 16_384)), {
        maxLength: 8,
      }),
      fc.array(fc.oneof(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 40_000 })), {
        maxLength: 30,
      }),
      (lengths, sizes) => {
        const packets = lengths.map(packet)
        const { whole, bodies } = read(Buffer.concat(packets), sizes)
        assert.deepEqual(bodies, lengths)
        assert.ok(whole.every((bytes, index) => packets[index]?.equals(bytes)))
      },
    ),
  )
})

test('FrameReader hands on a packet that lies whole in a chunk without a copy', () => {
  const chunk = Buffer.concat([packet(1000), packet(20), packet(1000)])
  const seen: Buffer[] = []
  const reader = new FrameReader(100_000, (bytes) => seen.push(bytes))
  reader.push(chunk.subarray(0, 500))
  const rest = chunk.subarray(500)
  reader.push(rest)
  assert.equal(seen.length, 3)
  assert.notEqual(seen[0], rest)
  assert.equal(seen[1], rest)
  assert.equal(seen[2], rest)
})

test('FrameReader refuses a length over the limit as soon as it is known, and a malformed one', () => {
  const reader = () => new FrameReader(1000, () => assert.fail('handed on a packet'))
  const long = packet(5000)
  const spread = reader()
  spread.push(long.subarray(0, 2))
  assert.throws(() => spread.push(long.subarray(2, 3)), ProtocolViolation)
  assert.throws(() => reader().push(long.subarray(0, 3)), ProtocolViolation)
  assert.throws(() => reader().push(Buffer.of(0x30, 255, 255, 255, 255, 1)), ProtocolViolation)
})
