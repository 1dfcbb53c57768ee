import fc from 'fast-check'

import type { DetectedObject, DetectionEvent, Pose, StaticProperties } from '../../../src/contract/index.ts'
import { EVENT_TYPES, OBJECT_TYPES, POSE_TYPES } from '../../../src/contract/index.ts'
import { detectedObject } from '../events.ts'

/** Ids that a test knows: `uuid-1`, `uuid-2`, ... */
export function uuids(): () => string {
  let count = 0
  return () => {
    count += 1
    return `uuid-${count}`
  }
}

/** Properties of the number 0. */
export const PROPERTIES: StaticProperties = {
  sensors: new Map([
    [
      0,
      {
        id: 'CAM',
        type: 'Camera',
        description: 'Entrance',
        location: { lat: 45.99, lon: 35.54, alt: 79.03 },
        coordinate: { x: 5.2, y: 10.1, z: 11.2 },
      },
    ],
  ]),
  places: new Map([
    [
      0,
      {
        id: 'p',
        type: 'garage',
        name: 'Endeavor',
        subFields: ['f1', 'f2', 'f3'] as const,
        location: { lat: 30.333, lon: -40.555, alt: 100 },
        coordinate: { x: 1, y: 2, z: 3 },
      },
    ],
  ]),
  analytics: new Map([[0, { id: 'XYZ', description: 'Plates', source: 'OpenALR', version: '1.0' }]]),
}

const POSE: Pose = {
  type: 'pose25D',
  joints: [
    { x: 10.9, y: 20.5, z: -3.5, confidence: 0.5 },
    { x: 1, y: 2, z: 3, confidence: 0 },
    { x: 11, y: 21, z: 31, confidence: 0.87 },
  ],
}

/** A face with a mask and everything else that an object can have. */
export const RICH: DetectedObject = detectedObject({
  type: 'face-ext',
  label: undefined,
  attributes: { age: '25', gender: 'female', name: 'N|"ö"\u007f\n', eyecolor: 'green' },
  event: 'stopped',
  location: { lat: 1.5, lon: -2.25, alt: 0.1 },
  coordinate: { x: 1e-7, y: 1e20, z: -0 },
  pose: POSE,
  embedding: [0.1, -1, 1 + 2 ** -17],
  signature: [0.1, 2],
  mask: [[1, 2.5, 3, 4], [], [5, 6]],
  visibility: 0.9,
  tracking3d: { footImage: [1.1, 2], footWorld: [3, 4.4], convexHull: [1, -2, 3, 4] },
})

const text = fc.string({ maxLength: 6, unit: 'grapheme' }).map((value) => value.replaceAll(/[|#]/g, '_'))
const filled = fc
  .string({ minLength: 1, maxLength: 6, unit: 'grapheme' })
  .map((value) => `x${value.replaceAll(/[|#]/g, '_')}`)
const float = fc.float({ min: -1000, max: 1000, noNaN: true })
const double = fc.double({ min: -1e6, max: 1e6, noNaN: true })
const pixel = fc.integer({ min: 0, max: 4000 })
const share = fc.float({ min: 0, max: 1, noNaN: true })
const corners = fc.array(pixel, { maxLength: 6 })

const pose: fc.Arbitrary<Pose> = fc.record({
  type: fc.constantFrom(...POSE_TYPES),
  joints: fc.array(fc.record({ x: float, y: float, z: float, confidence: share }), {
    minLength: 1,
    maxLength: 18,
  }),
})

const attributes = fc.record({
  type: filled,
  make: text,
  model: text,
  color: text,
  license: text,
  region: text,
  gender: filled,
  age: fc.nat({ max: 120 }).map(String),
  hair: text,
  cap: text,
  apparel: text,
  glasses: text,
  facialhair: text,
  name: text,
  eyecolor: text,
  brand: filled,
  shape: text,
})

const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })

// any object with anything that one can have, in a box of whole pixels
const anyRichObject: fc.Arbitrary<DetectedObject> = fc.record({
  trackingId: optional(fc.bigInt(0n, 2n ** 64n - 2n).map(String)),
  type: fc.constantFrom(...OBJECT_TYPES),
  label: optional(filled),
  confidence: share,
  box: fc.record({ left: pixel, top: pixel, width: pixel, height: pixel }),
  attributes: optional(attributes),
  event: optional(fc.constantFrom(...EVENT_TYPES)),
  location: optional(fc.record({ lat: double, lon: double, alt: double })),
  coordinate: optional(fc.record({ x: double, y: double, z: double })),
  pose: optional(pose),
  embedding: optional(fc.array(float, { maxLength: 4 })),
  signature: optional(fc.array(double, { maxLength: 4 })),
  mask: optional(fc.array(corners, { minLength: 1, maxLength: 3 })),
  visibility: optional(share),
  tracking3d: optional(
    fc.record({ footImage: fc.tuple(float, float), footWorld: fc.tuple(float, float), convexHull: corners }),
  ),
})

/** Any event of such objects, of the sensor with the number 0. */
export const anyRichEvent: fc.Arbitrary<DetectionEvent> = fc.record({
  timestamp: fc
    .date({ min: new Date('1970-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
    .map((date) => date.toISOString()),
  sensorId: text,
  frame: fc.nat(),
  source: fc.constant(0),
  objects: fc.array(anyRichObject, { maxLength: 4 }),
  videoPath: optional(filled),
})
