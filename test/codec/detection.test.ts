import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { readDetection, writeDetection } from '../../src/codec/index.ts'
import { BackhaulError } from '../../src/contract/index.ts'
import { anyEvent, detectedObject, detectionEvent } from './events.ts'

const LINE =
  '{"timestamp":"2026-01-02T03:04:05.678Z","sensorId":"street","frame":17,"objects":[{"trackingId":"12",' +
  '"type":"person","label":"person","confidence":0.87,"box":{"left":100,"top":50.5,"width":120,"height":129.5}}]}'

test('readDetection() reads a line, as text and as bytes', () => {
  const event = detectionEvent(detectedObject())
  assert.deepEqual(readDetection(LINE), event)
  assert.deepEqual(readDetection(Buffer.from(LINE)), event)
})

test('writeDetection() writes the documented form', () => {
  assert.equal(writeDetection(detectionEvent(detectedObject())), LINE)
})

test('readDetection() reads back whatever writeDetection() wrote', () => {
  fc.assert(
    fc.property(anyEvent, (event) => {
      // JSON has no negative zero
      assert.deepEqual(
        readDetection(writeDetection(event)),
        JSON.parse(JSON.stringify(event), undefinedFields),
      )
    }),
  )
})

/** Puts the fields back that JSON leaves out. */
function undefinedFields(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('confidence' in value)) return value
  return { trackingId: undefined, label: undefined, attributes: undefined, ...value }
}

test('readDetection() fills in what a plain detector leaves out', () => {
  const line = JSON.stringify({
    timestamp: '2026-01-02T03:04:05Z',
    sensorId: 'a',
    frame: 0,
    objects: [{ trackingId: 7, label: null, confidence: 1, box: { left: 0, top: 0, width: 0, height: 0 } }],
  })
  const event = readDetection(line)
  assert.equal(event.timestamp, '2026-01-02T03:04:05.000Z')
  assert.deepEqual(event.objects[0], {
    trackingId: '7',
    type: 'unknown',
    label: undefined,
    confidence: 1,
    box: { left: 0, top: 0, width: 0, height: 0 },
    attributes: undefined,
  })
})

test('readDetection() turns a time of any zone into UTC with milliseconds', () => {
  const line = LINE.replace('2026-01-02T03:04:05.678Z', '2026-01-02T05:34:05.678901+02:30')
  assert.equal(readDetection(line).timestamp, '2026-01-02T03:04:05.678Z')
})

const MISTAKES: readonly (readonly [what: string, line: string | Uint8Array, phrase: RegExp])[] = [
  ['half a line', LINE.slice(0, 60), /it is not JSON, write one JSON object a line/],
  ['an empty line', '', /it is not JSON/],
  ['bytes that are not UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), /it is not UTF-8/],
  ['a number', '17', /must be an object/],
  [
    'an unknown name',
    LINE.replace('"sensorId"', '"sensorld"'),
    /"sensorld" is unknown, did you mean "sensorId"\?/,
  ],
  [
    'an unknown name in an object',
    LINE.replace('"confidence"', '"confidance"'),
    /"objects.0.confidance" is unknown, did you mean "confidence"\?/,
  ],
  [
    'an unknown kind',
    LINE.replace('"person"', '"persom"'),
    /"objects.0.type" must be one of .*did you mean "person"\?/,
  ],
  ['a confidence in per cent', LINE.replace('0.87', '87'), /"objects.0.confidence" must be <=1/],
  [
    'a time without a zone',
    LINE.replace('678Z', '678'),
    /"timestamp" must be a time with its zone, for example/,
  ],
  ['no frame', LINE.replace('"frame":17,', ''), /"frame" is missing/],
  ['half a frame', LINE.replace('17', '17.5'), /"frame" must be a whole number/],
  ['a width below zero', LINE.replace('"width":120', '"width":-1'), /"objects.0.box.width" must be >=0/],
  ['an id beyond 64 bits', LINE.replace('"12"', '"18446744073709551616"'), /must fit into 64 bits/],
  [
    'a number in place of an attribute',
    LINE.replace('}}]', '},"attributes":{"age":7}}]'),
    /attributes.age" must be a string/,
  ],
]

for (const [what, line, phrase] of MISTAKES) {
  test(`readDetection() says what is wrong with ${what}`, () => {
    assert.throws(
      () => readDetection(line),
      (error) =>
        error instanceof BackhaulError && error.code === 'INVALID_MESSAGE' && phrase.test(error.message),
    )
  })
}

test('readDetection() throws nothing but its own error, whatever the bytes are', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        fc.json().map((text) => Buffer.from(text)),
      ),
      (bytes) => {
        assert.throws(
          () => readDetection(bytes),
          (error) => error instanceof BackhaulError && error.code === 'INVALID_MESSAGE',
        )
      },
    ),
  )
})
