import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { FrameSplitter } from '../../../../src/adaptors/amqp/wire/frames.ts'

interface Frame {
  readonly kind: number
  readonly channel: number
  readonly payload: Buffer
}

const frame: fc.Arbitrary<Frame> = fc
  .tuple(
    fc.constantFrom(1, 2, 3, 8),
    fc.integer({ min: 0, max: 65_535 }),
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  )
  .map(([kind, channel, payload]) => ({ kind, channel, payload }))

function bytesOf({ kind, channel, payload }: Frame): Buffer {
  const head = Buffer.alloc(7)
  head[0] = kind
  head.writeUInt16BE(channel, 1)
  head.writeUInt32BE(payload.length, 3)
  return Buffer.concat([head, payload, Buffer.of(0xce)])
}

function collector(limit = 4096) {
  const frames: Frame[] = []
  const splitter = new FrameSplitter(limit, (kind, channel, bytes, from, to) =>
    frames.push({ kind, channel, payload: bytes.subarray(from, to) }),
  )
  return { frames, splitter }
}

test('FrameSplitter gives the same frames however the bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 8 }),
      fc.array(fc.nat(3000), { maxLength: 20 }),
      (sent, cuts) => {
        const all = Buffer.concat(sent.map(bytesOf))
        const { frames, splitter } = collector()
        let from = 0
        for (const cut of [
          ...cuts.map((at) => at % (all.length + 1)).toSorted((a, b) => a - b),
          all.length,
        ]) {
          splitter.push(all.subarray(from, cut))
          from = cut
        }
        assert.deepEqual(frames, sent)
      },
    ),
  )
})

test('FrameSplitter refuses a frame over the limit and one without its end, and no other bytes crash it', () => {
  const big = bytesOf({ kind: 3, channel: 1, payload: Buffer.alloc(100) })
  assert.throws(() => collector(107).splitter.push(big), /a frame of 100 bytes/)
  collector(108).splitter.push(big)
  big[big.length - 1] = 0
  assert.throws(() => collector().splitter.push(big), /without its end/)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const { splitter } = collector()
      try {
        splitter.push(Buffer.from(bytes))
      } catch (error) {
        assert.ok(error instanceof RangeError)
      }
    }),
  )
})
