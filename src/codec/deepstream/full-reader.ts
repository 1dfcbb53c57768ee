/** Reads the full schema back; see full.ts. What the schema does not say is not there: the frame is 0. */
import { z } from 'zod'

import type {
  DetectedObject,
  DetectionEvent,
  EventType,
  ObjectType,
  PlaceProperties,
  Pose,
  StaticProperties,
  Tracking3d,
} from '../../contract/index.ts'
import { EVENT_TYPES } from '../../contract/index.ts'
import { compact, parseMessage } from './json-message.ts'
import type { Family } from './kinds.ts'
import { JOINTS, UNTRACKED } from './kinds.ts'

/** A message of the full schema, taken apart. */
export interface FullMessage {
  /** The event with its one object. */
  readonly event: DetectionEvent
  /** Place, sensor and analytics module as far as the message has them, each under the number 0. */
  readonly properties: StaticProperties
  /** The message's id. */
  readonly messageId: string
  /** The event's id. */
  readonly eventId: string
}

const number = z.number()
const text = z.string()
const whole = z.int()
const location = z.object({ lat: number, lon: number, alt: number })
const coordinate = z.object({ x: number, y: number, z: number })
const ORIGIN = { x: 0, y: 0, z: 0 }
const part = z.object({
  id: text.optional(),
  name: text.optional(),
  type: text.optional(),
  lane: text.optional(),
  level: text,
  coordinate,
})

const placeSchema = z.object({
  id: text,
  name: text,
  type: text,
  location,
  aisle: part.optional(),
  parkingSpot: part.optional(),
  entrance: part.optional(),
})
type PlaceMessage = z.output<typeof placeSchema>

const joint = z.object({ x: whole, y: whole, z: whole.optional(), confidence: number })
const details = z.record(text, z.union([text, number]))

const objectSchema = z.looseObject({
  id: text.regex(/^\d{1,20}$/, 'must be a decimal number'),
  vehicle: details.optional(),
  person: details.optional(),
  face: details.optional(),
  product: details.optional(),
  bbox: z.object({ topleftx: whole, toplefty: whole, bottomrightx: whole, bottomrighty: whole }),
  maskoutline: z.array(z.array(number)).optional(),
  signature: z.array(number).optional(),
  location: location.optional(),
  coordinate: coordinate.optional(),
  pose: z.record(text, joint).optional(),
  embedding: z.object({ embedding_vector: z.array(number) }).optional(),
  SV3DT: z
    .object({
      visibility: number,
      footLocation2D: z.tuple([number, number, number, number]),
      convexHull: z.array(number),
    })
    .optional(),
})
type ObjectMessage = z.output<typeof objectSchema>

const fullSchema = z.object({
  messageid: text,
  mdsversion: text,
  '@timestamp': text,
  place: placeSchema.nullish(),
  sensor: z.object({ id: text, type: text, description: text, location, coordinate }).nullish(),
  analyticsModule: z.object({ id: text, description: text, source: text, version: text }).nullish(),
  object: objectSchema,
  event: z.object({ id: text, type: text.optional() }),
  videoPath: text.optional(),
})

const FAMILIES: readonly Family[] = ['vehicle', 'person', 'face', 'product']
const MASKED: Readonly<Record<Family, ObjectType>> = {
  vehicle: 'vehicle-ext',
  person: 'person-ext',
  face: 'face-ext',
  product: 'product-ext',
}

/**
 * Reads a message of the full schema.
 *
 * @throws BackhaulError `INVALID_MESSAGE` with everything that is wrong.
 */
export function readFull(message: Uint8Array | string): FullMessage {
  const { place, sensor, analyticsModule, object, event, videoPath, ...head } = parseMessage(
    message,
    fullSchema,
    'the message in the full schema',
  )
  const happened = EVENT_TYPES.find((type) => type === event.type) ?? 'custom'
  return {
    messageId: head.messageid,
    eventId: event.id,
    event: {
      timestamp: head['@timestamp'],
      sensorId: sensor?.id ?? '',
      frame: 0,
      objects: [objectOf(object, happened, place ?? undefined)],
      ...(videoPath !== undefined && videoPath !== '' && { videoPath }),
    },
    properties: {
      sensors: numbered(sensor ?? undefined),
      places: numbered(place === null || place === undefined ? undefined : placeOf(place)),
      analytics: numbered(analyticsModule ?? undefined),
    },
  }
}

function numbered<T>(value: T | undefined): ReadonlyMap<number, T> {
  return new Map(value === undefined ? [] : [[0, value]])
}

function placeOf({ aisle, parkingSpot, entrance, ...place }: PlaceMessage): PlaceProperties {
  const seen = aisle ?? parkingSpot ?? entrance
  const first = seen === entrance ? seen?.name : seen?.id
  const second = seen === entrance ? seen?.lane : seen === aisle ? seen?.name : seen?.type
  return {
    ...place,
    coordinate: seen?.coordinate ?? ORIGIN,
    subFields: [first ?? '', second ?? '', seen?.level ?? ''],
  }
}

function objectOf(message: ObjectMessage, event: EventType, place: PlaceMessage | undefined): DetectedObject {
  const { bbox, maskoutline, signature, location, coordinate, embedding, SV3DT } = message
  const family = FAMILIES.find((name) => message[name] !== undefined)
  const values = family === undefined ? undefined : message[family]
  const attributes = attributesOf(values)
  // only a vehicle with a mask is at an entrance
  const isAtEntrance = family === 'vehicle' && place?.entrance !== undefined
  const type =
    family === undefined ? 'unknown' : maskoutline !== undefined || isAtEntrance ? MASKED[family] : family
  const confidence = values?.['confidence']
  return compact({
    trackingId: message.id === UNTRACKED ? undefined : message.id,
    type,
    label: family === undefined ? labelOf(message) : undefined,
    confidence: typeof confidence === 'number' ? confidence : 1,
    box: {
      left: bbox.topleftx,
      top: bbox.toplefty,
      width: bbox.bottomrightx - bbox.topleftx,
      height: bbox.bottomrighty - bbox.toplefty,
    },
    attributes,
    event,
    location,
    coordinate,
    pose: poseOf(message.pose),
    embedding: embedding?.embedding_vector,
    signature,
    mask: maskoutline,
    visibility: SV3DT?.visibility,
    tracking3d: SV3DT && trackingOf(SV3DT),
  })
}

function attributesOf(
  values: Readonly<Record<string, string | number>> | undefined,
): Record<string, string> | undefined {
  if (values === undefined) return undefined
  const attributes: Record<string, string> = {}
  let isKnown = values['confidence'] !== undefined && values['confidence'] !== 1
  for (const [name, value] of Object.entries(values)) {
    if (name === 'confidence') continue
    attributes[name === 'licenseState' ? 'region' : name] = String(value)
    isKnown ||= value !== '' && value !== 0
  }
  return isKnown ? attributes : undefined
}

/** The member that is nothing but a name: an empty object that the schema does not know. */
function labelOf(message: ObjectMessage): string | undefined {
  return Object.entries(message).find(
    ([name, value]) => !Object.hasOwn(objectSchema.shape, name) && isEmptyObject(value),
  )?.[0]
}

function isEmptyObject(value: unknown): boolean {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 0
  )
}

function poseOf(joints: ObjectMessage['pose']): Pose | undefined {
  const seen = Object.entries(joints ?? {})
  if (seen.length === 0) return undefined
  const type = seen.some(([, { z }]) => z !== undefined) ? 'pose3D' : 'pose2D'
  const names = JOINTS[type]
  const count = 1 + Math.max(...seen.map(([name]) => names.indexOf(name)))
  const found = new Map(seen)
  return {
    type,
    joints: names
      .slice(0, count)
      .map((name) => ({ x: 0, y: 0, confidence: 0, ...found.get(name), z: found.get(name)?.z ?? 0 })),
  }
}

function trackingOf({ footLocation2D, convexHull }: NonNullable<ObjectMessage['SV3DT']>): Tracking3d {
  const [imageX, imageY, worldX, worldY] = footLocation2D
  return { footImage: [imageX, imageY], footWorld: [worldX, worldY], convexHull }
}
