import fc from 'fast-check'

import type { DetectedObject, DetectionEvent } from '../../src/contract/index.ts'
import { OBJECT_TYPES } from '../../src/contract/index.ts'

/** A detected person in a plain box, with what a test wants to be different. */
export function detectedObject(difference: Partial<DetectedObject> = {}): DetectedObject {
  return {
    trackingId: '12',
    type: 'person',
    label: 'person',
    confidence: 0.87,
    box: { left: 100, top: 50.5, width: 120, height: 129.5 },
    attributes: undefined,
    ...difference,
  }
}

/** An event of one frame with the given objects. */
export function detectionEvent(...objects: readonly DetectedObject[]): DetectionEvent {
  return { timestamp: '2026-01-02T03:04:05.678Z', sensorId: 'street', frame: 17, objects }
}

const size = fc.double({ min: 0, max: 1e5, noNaN: true })
const place = fc.double({ min: -1e5, max: 1e5, noNaN: true })
const name = fc
  .string({ minLength: 1, maxLength: 12, unit: 'grapheme' })
  .filter((text) => text !== '__proto__')

/** Any detection event. */
export const anyEvent: fc.Arbitrary<DetectionEvent> = fc.record({
  timestamp: fc
    .date({ min: new Date('1970-01-01'), max: new Date('2100-01-01'), noInvalidDate: true })
    .map((date) => date.toISOString()),
  sensorId: name,
  frame: fc.maxSafeNat(),
  objects: fc.array(
    fc.record({
      trackingId: fc.option(fc.bigInt(0n, 2n ** 64n - 1n).map(String), { nil: undefined }),
      type: fc.constantFrom(...OBJECT_TYPES),
      label: fc.option(name, { nil: undefined }),
      confidence: fc.double({ min: 0, max: 1, noNaN: true }),
      box: fc.record({ left: place, top: place, width: size, height: size }),
      attributes: fc.option(fc.dictionary(name, name, { noNullPrototype: true }), { nil: undefined }),
    }),
    { maxLength: 5 },
  ),
})
