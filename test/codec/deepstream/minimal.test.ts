import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { minimalObject, writeMinimal } from '../../../src/codec/index.ts'
import type { DetectedObject } from '../../../src/contract/index.ts'
import { anyEvent, detectedObject, detectionEvent } from '../events.ts'

test('writeMinimal() writes a frame as the original does, key for key', () => {
  assert.equal(
    writeMinimal(detectionEvent(detectedObject(), detectedObject({ trackingId: '13', type: 'vehicle' }))),
    '{"version":"4.0","id":"17","@timestamp":"2026-01-02T03:04:05.678Z","sensorId":"street",' +
      '"objects":["12|100|50.5|220|180|Person|#|||||||0.87","13|100|50.5|220|180|Vehicle|#|||||||0.87"]}',
  )
})

test('writeMinimal() writes a frame without objects', () => {
  assert.deepEqual(JSON.parse(writeMinimal(detectionEvent())), {
    version: '4.0',
    id: '17',
    '@timestamp': '2026-01-02T03:04:05.678Z',
    sensorId: 'street',
    objects: [],
  })
})

const BOX = '12|100|50.5|220|180'

const OBJECTS: readonly (readonly [what: string, object: Partial<DetectedObject>, text: string])[] = [
  [
    'a vehicle with attributes',
    {
      type: 'vehicle',
      attributes: { type: 'sedan', make: 'Bugatti', model: 'M', color: 'blue', license: 'X1', region: 'CA' },
    },
    `${BOX}|Vehicle|#|sedan|Bugatti|M|blue|X1|CA|0.87`,
  ],
  [
    'a vehicle of which only the colour is known',
    { type: 'vehicle', attributes: { color: 'blue' } },
    `${BOX}|Vehicle|#||||blue|||0.87`,
  ],
  [
    'a person with attributes',
    { attributes: { gender: 'male', age: '45', hair: 'black', cap: 'none', apparel: 'formal' } },
    `${BOX}|Person|#|male|45|black|none|formal|0.87`,
  ],
  ['a person of unknown age', { attributes: { gender: 'male' } }, `${BOX}|Person|#|male|0||||0.87`],
  [
    'a face with attributes, with the doubled bar',
    {
      type: 'face',
      attributes: {
        gender: 'female',
        age: '25',
        hair: 'brown',
        cap: 'none',
        glasses: 'yes',
        facialhair: 'none',
        name: 'N',
        eyecolor: 'green',
      },
    },
    `${BOX}|Face|#|female|25|brown|none|yes|none|N||green|0.87`,
  ],
  [
    'a product with attributes',
    { type: 'product', attributes: { brand: 'B', type: 'T', shape: 'S' } },
    `${BOX}|Product|#|B|T|S|0.87`,
  ],
  ['a bag with attributes', { type: 'bag', attributes: { color: 'red' } }, `${BOX}|Bag|0.87`],
  ['a person whose attributes are empty', { attributes: {} }, `${BOX}|Person|#|||||||0.87`],
  ['a road sign', { type: 'roadsign' }, `${BOX}|RoadSign|#|||||||0.87`],
  ['an unknown thing by its label', { type: 'unknown', label: 'tree' }, `${BOX}|tree|#|||||||0.87`],
  ['an unknown thing without a label', { type: 'unknown', label: undefined }, `${BOX}|Unknown|#|||||||0.87`],
  [
    'an object that nothing tracks',
    { trackingId: undefined },
    '18446744073709551615|100|50.5|220|180|Person|#|||||||0.87',
  ],
  ['a label with a bar', { type: 'unknown', label: 'a|b' }, `${BOX}|a/b|#|||||||0.87`],
  [
    'an attribute from the prototype',
    { type: 'product', attributes: { toString: 'x' } },
    `${BOX}|Product|#||||0.87`,
  ],
  [
    'a box in 32 bits and six digits',
    { box: { left: 1234.125, top: 0.1, width: 0.1, height: 0.2 }, confidence: 1 },
    '12|1234.12|0.1|1234.22|0.3|Person|#|||||||1',
  ],
]

for (const [what, object, text] of OBJECTS) {
  test(`minimalObject() writes ${what}`, () => {
    assert.equal(minimalObject(detectedObject(object)), text)
  })
}

test('minimalObject() puts the confidence last and the type sixth for any object', () => {
  fc.assert(
    fc.property(anyEvent, ({ objects }) => {
      for (const object of objects.filter(({ type }) => type !== 'dummy')) {
        const fields = minimalObject(object).split('|')
        assert.match(fields[0] ?? '', /^\d+$/)
        for (const number of fields.slice(1, 5)) assert.ok(Number.isFinite(Number(number)), number)
        const confidence = Number(fields.at(-1))
        assert.ok(Math.abs(confidence - object.confidence) <= 1e-6, fields.at(-1))
        const name = fields[5]?.toLowerCase()
        if (/-|3d/.test(object.type)) assert.equal(name, 'unknown')
        else if (object.type !== 'unknown') assert.equal(name, object.type)
      }
    }),
  )
})
