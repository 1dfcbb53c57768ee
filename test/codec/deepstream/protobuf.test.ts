import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { readProtobuf, writeProtobuf } from '../../../src/codec/index.ts'
import { detectedObject, detectionEvent } from '../events.ts'
import { anyRichEvent } from './rich.ts'

/** An `nv.Frame` by hand: tag, length, value. */
const FRAME = [
  '0a 03 34 2e 30', // version "4.0"
  '12 02 31 37', // id "17"
  '1a 0c 08 a5 eb dc ca 06 10 80 eb a5 c3 02', // timestamp: 2026-01-02T03:04:05 and 678,000,000 nanoseconds
  '22 06 73 74 72 65 65 74', // sensorId "street"
  '2a 3f', // an object
  '0a 02 31 32', // id "12"
  '12 14 0d 00 00 c8 42 15 00 00 4a 42 1d 00 00 5c 43 25 00 00 34 43', // bbox 100, 50.5, 220, 180
  '1a 06 50 65 72 73 6f 6e', // type "Person"
  '25 52 b8 5e 3f', // confidence 0.87
  '2a 16 0a 0a 76 69 73 69 62 69 6c 69 74 79 12 08 31 2e 30 30 30 30 30 30', // info visibility "1.000000"
].join(' ')

test('B9: writeProtobuf() writes a frame byte for byte', () => {
  const bytes = Buffer.from(writeProtobuf(detectionEvent(detectedObject())))
  assert.equal(bytes.toString('hex'), FRAME.replaceAll(' ', ''))
})

test('writeProtobuf() writes no dummy, and refuses a time that is none', () => {
  const bytes = writeProtobuf(detectionEvent(detectedObject({ type: 'dummy' })))
  assert.deepEqual(readProtobuf(bytes).objects, [])
  assert.throws(() => writeProtobuf({ ...detectionEvent(), timestamp: 'soon' }), { code: 'INVALID_MESSAGE' })
})

test('readProtobuf() reads what a vehicle and a person are known by', () => {
  const vehicle = { type: 'sedan', make: '', model: 'M', color: 'blue', region: 'CA', license: 'X1' }
  const person = { age: '7', gender: 'male', hair: '', cap: '', apparel: '' }
  const { objects } = readProtobuf(
    writeProtobuf(
      detectionEvent(
        detectedObject({ type: 'vehicle', attributes: vehicle }),
        detectedObject({
          type: 'person-ext',
          attributes: person,
          pose: { type: 'pose2D', joints: [{ x: 1, y: 2, z: 0, confidence: 0.5 }] },
        }),
      ),
    ),
  )
  assert.deepEqual([objects[0]?.type, objects[0]?.attributes], ['vehicle', vehicle])
  assert.deepEqual([objects[1]?.type, objects[1]?.attributes], ['person-ext', person])
  assert.deepEqual(objects[1]?.pose?.joints, [{ x: 1, y: 2, z: 0, confidence: 0.5 }])
})

test('readProtobuf() reads a frame so that writeProtobuf() makes the same of it', () => {
  fc.assert(
    fc.property(anyRichEvent, (event) => {
      const bytes = writeProtobuf(event)
      assert.deepEqual(Buffer.from(writeProtobuf(readProtobuf(bytes))), Buffer.from(bytes))
    }),
  )
})

test('readProtobuf() refuses anything else, and never crashes', () => {
  const bytes = writeProtobuf(detectionEvent(detectedObject()))
  assert.throws(() => readProtobuf(bytes.subarray(0, -1)), { code: 'INVALID_MESSAGE' })
  assert.throws(() => readProtobuf(Buffer.from('{"version":"4.0"}')), { code: 'INVALID_MESSAGE' })
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, value) => {
      const broken = Uint8Array.from(bytes)
      broken[at] = value
      try {
        readProtobuf(broken)
      } catch (error) {
        assert.ok(
          error instanceof Error && 'code' in error && error.code === 'INVALID_MESSAGE',
          String(error),
        )
      }
    }),
  )
})
