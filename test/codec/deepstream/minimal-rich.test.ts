import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

import fc from 'fast-check'

import {
  minimalObject,
  readDeepStream,
  readMinimal,
  readMinimalObject,
  writeMinimal,
} from '../../../src/codec/index.ts'
import type { DetectedObject } from '../../../src/contract/index.ts'
import { detectedObject, detectionEvent } from '../events.ts'
import { anyRichEvent, RICH } from './rich.ts'

const BOX = '12|100|50.5|220|180'
const PERSON = { gender: 'male', age: '45', hair: 'black', cap: 'none', apparel: 'formal' }
const JOINTS = [
  { x: 1, y: 2.5, z: 3, confidence: 0.5 },
  { x: 4, y: 5, z: 6, confidence: 0 },
]
const TRACK = { footImage: [1.5, 2] as const, footWorld: [3, 4] as const, convexHull: [1, 2, 3, 4] }

const OBJECTS: readonly (readonly [what: string, object: Partial<DetectedObject>, text: string])[] = [
  [
    'a person with a pose in the picture, also the joints that were not seen',
    { attributes: PERSON, pose: { type: 'pose2D', joints: JOINTS } },
    `${BOX}|Person|#|male|45|black|none|formal|#|pose2D|nose,1.000000,2.500000,0.500000|neck,4.000000,5.000000,0.000000||0.87`,
  ],
  [
    'a person with a pose in 2.5 dimensions',
    { attributes: PERSON, pose: { type: 'pose25D', joints: JOINTS.slice(0, 1) } },
    `${BOX}|Person|#|male|45|black|none|formal|#|pose25D|pelvis,1.000000,2.500000,3.000000,0.500000||0.87`,
  ],
  [
    'a person with a pose in 3 dimensions',
    { attributes: PERSON, pose: { type: 'pose3D', joints: JOINTS.slice(0, 1) } },
    `${BOX}|Person|#|male|45|black|none|formal|#|pose3D|pelvis,1.000000,2.500000,3.000000,0.500000||0.87`,
  ],
  [
    'a pose without attributes not at all',
    { pose: { type: 'pose2D', joints: JOINTS } },
    `${BOX}|Person|#|||||||0.87`,
  ],
  ['an embedding', { embedding: [0.1, -1.5] }, `${BOX}|Person|#|||||||0.87|#|embedding|0.1,-1.5|`],
  [
    'a 3-D track',
    { visibility: 0.5, tracking3d: TRACK },
    `${BOX}|Person|#|||||||0.87#|SV3DT|0.500000|1.500000,2.000000|3.000000,4.000000|1,2,3,4|`,
  ],
  [
    'an embedding and a 3-D track of visibility 1',
    { embedding: [2], tracking3d: { ...TRACK, convexHull: [] } },
    `${BOX}|Person|#|||||||0.87|#|embedding|2|#|SV3DT|1.000000|1.500000,2.000000|3.000000,4.000000||`,
  ],
  [
    'a person with a mask and attributes',
    { type: 'person-ext', attributes: PERSON },
    `${BOX}|Unknown|#|male|45|black|none|formal|0.87`,
  ],
  ['a vehicle with a mask and no attributes', { type: 'vehicle-ext' }, `${BOX}|Unknown|#|||||||0.87`],
  ['an object in three dimensions', { type: '3d' }, `${BOX}|Unknown|#|||||||0.87`],
  ['a dummy', { type: 'dummy' }, ''],
]

for (const [what, object, text] of OBJECTS) {
  test(`B9: minimalObject() writes ${what}`, () => {
    assert.equal(minimalObject(detectedObject(object)), text)
    assert.equal(minimalObject(readMinimalObject(text)), text)
  })
}

test('B9: writeMinimal() writes everything that an object can have, byte for byte', () => {
  const golden = readFileSync('test/codec/deepstream/golden/minimal-indented.txt', 'utf8').trimEnd()
  assert.equal(writeMinimal(detectionEvent(RICH), 'indented'), golden)
})

test('readMinimal() reads what it can tell, and gives each mask to its object', () => {
  const mask = [
    [1, 2],
    [3, 4],
  ]
  const first = detectedObject({ type: 'person-ext', label: undefined, attributes: PERSON, mask })
  const second = detectedObject({
    trackingId: '13',
    label: undefined,
    type: 'vehicle',
    attributes: undefined,
  })
  const { objects, ...rest } = readMinimal(writeMinimal(detectionEvent(first, second), 'indented'))
  assert.deepEqual(rest, { timestamp: '2026-01-02T03:04:05.678Z', sensorId: 'street', frame: 17 })
  const box = { left: 100, top: 50.5, width: 120, height: 129.5 }
  assert.deepEqual(objects, [
    { trackingId: '12', type: 'person-ext', confidence: 0.87, box, attributes: PERSON, mask },
    { trackingId: '13', type: 'vehicle', confidence: 0.87, box },
  ])
})

test('readMinimal() reads a message so that writeMinimal() makes the same of it', () => {
  fc.assert(
    fc.property(anyRichEvent, ({ objects, ...rest }) => {
      // of a kind without attributes of its own the text does not tell whether it had any
      const shown = objects.map((object) =>
        hasPlace(object) ? object : { ...object, attributes: undefined },
      )
      const text = writeMinimal({ ...rest, objects: shown })
      assert.equal(writeMinimal(readMinimal(text)), text)
      const { customMessages: _, ...read } = readDeepStream(text)
      assert.equal(writeMinimal(read), text)
    }),
  )
})

function hasPlace({ type }: DetectedObject): boolean {
  return /^(vehicle|person|face|product)/.test(type)
}

test('readMinimalObject() reads what the new API writes', () => {
  assert.deepEqual(readMinimalObject('7|1|2|3|4|car'), {
    trackingId: '7',
    type: 'unknown',
    label: 'car',
    confidence: 1,
    box: { left: 1, top: 2, width: 2, height: 2 },
  })
  assert.deepEqual(readMinimalObject('7|1|2|3|4|car|#|blue|sedan|0.5').attributes, {
    classifier1: 'blue',
    classifier2: 'sedan',
  })
})

test('readMinimal() says what is wrong, and never crashes', () => {
  for (const text of [
    'x',
    '1',
    '1|2',
    '1|2|3|4|x|Person|0.5',
    '1|1|1|1|1|Person|#|a|0.5',
    '1|1|1|1|1|Person|x',
  ]) {
    assert.throws(() => readMinimalObject(text), { code: 'INVALID_MESSAGE' }, text)
  }
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('|', '#', '|#|', '1', 'Person', 'embedding', 'SV3DT', 'pose2D', ',', 'x'), {
        maxLength: 30,
      }),
      (parts) => {
        try {
          readMinimalObject(parts.join(''))
        } catch (error) {
          assert.ok(
            error instanceof Error && 'code' in error && error.code === 'INVALID_MESSAGE',
            String(error),
          )
        }
      },
    ),
  )
})
