/**
 * Detection events as JSON, one object a line:
 *
 * ```json
 * {"timestamp":"2026-01-02T03:04:05.678Z","sensorId":"street","frame":17,"objects":[
 *   {"trackingId":"12","type":"person","label":"person","confidence":0.87,
 *    "box":{"left":100,"top":50.5,"width":120,"height":129.5},"attributes":{"gender":"female"}}]}
 * ```
 *
 * An object may also have `event`, `componentId`, `location`, `coordinate`, `pose`, `embedding`, `signature`, `mask`,
 * `visibility` and `tracking3d`; an event `source`, `placeId`, `moduleId`, `videoPath` and `customMessages`: what the
 * schemas of DeepStream can say, by the names of `DetectedObject` and `DetectionEvent`.
 *
 * Required are `timestamp` (ISO 8601 with a time zone), `sensorId`, `frame`, `objects`, and of each object `confidence`
 * and `box`. `type` is `unknown` by default; `trackingId` may be a number too. A name that is not listed here is an error.
 *
 * Checking costs about as much as `JSON.parse()` itself: 5 µs for five objects, so one core reads about 100,000 such
 * events a second, and there is no second reader that skips the checks.
 */
import { z } from 'zod'

import type { DetectedObject, DetectionEvent } from '../contract/index.ts'
import { BackhaulError, EVENT_TYPES, OBJECT_TYPES, POSE_TYPES } from '../contract/index.ts'
import { readOptions } from '../kit/options.ts'
import { decodeUtf8 } from './utf8.ts'

const MAX_TRACKING_ID = 2n ** 64n - 1n
const EXACT_TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

const size = z.number().min(0)

const coordinate = z.strictObject({ x: z.number(), y: z.number(), z: z.number() })
const vector = z.array(z.number()).max(65_536)
const point = z.tuple([z.number(), z.number()])
const id = z.int().min(0).max(2_147_483_647)

/** What few objects have. It is not there where it is not known. */
const moreOfAnObject = {
  event: z.enum(EVENT_TYPES).optional(),
  componentId: id.optional(),
  location: z.strictObject({ lat: z.number(), lon: z.number(), alt: z.number() }).optional(),
  coordinate: coordinate.optional(),
  pose: z
    .strictObject({
      type: z.enum(POSE_TYPES),
      joints: z.array(coordinate.extend({ confidence: z.number() })).max(34),
    })
    .optional(),
  embedding: vector.optional(),
  signature: vector.optional(),
  mask: z.array(vector).max(1024).optional(),
  visibility: z.number().optional(),
  tracking3d: z.strictObject({ footImage: point, footWorld: point, convexHull: vector }).optional(),
}

const moreOfAnEvent = {
  source: id.optional(),
  placeId: id.optional(),
  moduleId: id.optional(),
  videoPath: z.string().optional(),
  customMessages: z.array(z.string()).optional(),
}

const objectSchema = z.strictObject({
  trackingId: z
    .union([
      z
        .string()
        .regex(/^\d{1,20}$/, 'must be a decimal number')
        .refine((text) => text.length < 20 || BigInt(text) <= MAX_TRACKING_ID, 'must fit into 64 bits'),
      z.int().min(0).transform(String),
    ])
    .nullish(),
  type: z.enum(OBJECT_TYPES).default('unknown'),
  label: z.string().max(256).nullish(),
  confidence: z.number().min(0).max(1),
  box: z.strictObject({ left: z.number(), top: z.number(), width: size, height: size }),
  attributes: z.record(z.string(), z.string()).nullish(),
  ...moreOfAnObject,
})

const detectionSchema = z.strictObject({
  timestamp: z.iso.datetime({
    offset: true,
    error: 'must be a time with its zone, for example 2026-01-02T03:04:05.678Z',
  }),
  sensorId: z.string().min(1).max(256),
  frame: z.int().min(0),
  objects: z.array(objectSchema),
  ...moreOfAnEvent,
})

/**
 * Reads one line: a detection event in JSON.
 *
 * @throws BackhaulError `INVALID_MESSAGE` with everything that is wrong, each unknown name with the nearest known one.
 */
export function readDetection(line: Uint8Array | string): DetectionEvent {
  const event = readOptions(detectionSchema, parse(line), 'the detection', 'INVALID_MESSAGE')
  const { timestamp, sensorId, frame, objects, ...more } = event
  return { timestamp: normalTimestamp(timestamp), sensorId, frame, objects: objects.map(completed), ...more }
}

/** Writes a detection event in the form that {@link readDetection} reads, compact, without a line end. */
export function writeDetection(event: DetectionEvent): string {
  return JSON.stringify(event)
}

/** The usual fields are there, perhaps undefined, so that most objects share one hidden class. */
function completed(object: z.output<typeof objectSchema>): DetectedObject {
  const { trackingId, type, label, confidence, box, attributes, ...more } = object
  return {
    trackingId: trackingId ?? undefined,
    type,
    label: label ?? undefined,
    confidence,
    box,
    attributes: attributes ?? undefined,
    ...more,
  }
}

function normalTimestamp(text: string): string {
  return EXACT_TIMESTAMP.test(text) ? text : new Date(text).toISOString()
}

function parse(line: Uint8Array | string): unknown {
  const text = typeof line === 'string' ? line : decodeUtf8(line)
  if (text === undefined) {
    throw new BackhaulError('INVALID_MESSAGE', 'Cannot use the detection: it is not UTF-8, write it as UTF-8')
  }
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new BackhaulError(
      'INVALID_MESSAGE',
      'Cannot use the detection: it is not JSON, write one JSON object a line',
      cause,
    )
  }
}
