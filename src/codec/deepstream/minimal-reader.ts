/**
 * Reads the minimal schema back; see minimal.ts. An object's text is read field by field; how many attributes there are
 * tells what kind of object one without a name of its own is.
 */
import { z } from 'zod'

import type { DetectedObject, DetectionEvent, ObjectType, Pose, Tracking3d } from '../../contract/index.ts'
import { POSE_TYPES } from '../../contract/index.ts'
import { compact, invalid, parseMessage } from './json-message.ts'
import type { Family } from './kinds.ts'
import { FAMILY_OF, typeOfName, UNTRACKED } from './kinds.ts'
import { MINIMAL_ATTRIBUTES } from './minimal.ts'

const SUBJECT = 'the message in the minimal schema'
const EMPTY_ATTRIBUTES = 6

const minimalSchema = z.object({
  version: z.string(),
  id: z.string().regex(/^\d{1,15}$/, 'must be a decimal number'),
  '@timestamp': z.string(),
  sensorId: z.string(),
  objects: z.array(z.string()),
  masks: z.array(z.string()).optional(),
  customMessage: z.array(z.string()).optional(),
})

/**
 * Reads a message of the minimal schema.
 *
 * @throws BackhaulError `INVALID_MESSAGE` with what is wrong.
 */
export function readMinimal(message: Uint8Array | string): DetectionEvent {
  const { id, sensorId, objects, masks, customMessage, ...head } = parseMessage(
    message,
    minimalSchema,
    SUBJECT,
  )
  const outlines = (masks ?? []).map(readMask)
  return compact({
    timestamp: head['@timestamp'],
    sensorId,
    frame: Number(id),
    objects: objects.map((text) => {
      const object = readMinimalObject(text)
      if (!object.type.endsWith('-ext')) return object
      const found = outlines.findIndex(({ trackingId }) => trackingId === (object.trackingId ?? UNTRACKED))
      return found < 0 ? object : { ...object, mask: outlines.splice(found, 1)[0]?.polygons ?? [] }
    }),
    customMessages: customMessage,
  })
}

/**
 * Reads the text of one object.
 *
 * @throws BackhaulError `INVALID_MESSAGE`
 */
export function readMinimalObject(text: string): DetectedObject {
  if (text === '') return DUMMY
  const [trackingId = '', left, top, right, bottom, name, ...rest] = text.split('|')
  if (!/^\d{1,20}$/.test(trackingId)) throw wrong('the id is not a decimal number', text)
  const edges = [left, top, right, bottom].map((edge) => toNumber(edge, text))
  const [x0 = 0, y0 = 0, x1 = 0, y1 = 0] = edges
  const named = typeOfName(name ?? '')
  const { middle, confidence, tail } = divide(rest, text)
  const { type, attributes, pose } = readMiddle(middle, named, text)
  const track = tail.indexOf('SV3DT')
  return compact({
    trackingId: trackingId === UNTRACKED ? undefined : trackingId,
    type,
    label: named.label,
    confidence,
    box: { left: x0, top: y0, width: x1 - x0, height: y1 - y0 },
    attributes,
    pose,
    embedding: tail[1] === 'embedding' ? numbers(tail[2], text) : undefined,
    ...(track >= 0 && readTracking(tail.slice(track + 1), text)),
  })
}

const DUMMY: DetectedObject = {
  trackingId: undefined,
  type: 'dummy',
  label: undefined,
  confidence: 0,
  box: { left: 0, top: 0, width: 0, height: 0 },
  attributes: undefined,
}

interface Divided {
  /** The fields between the type and the confidence. */
  readonly middle: readonly string[]
  /** 1 where there is none: messages of the new API without classifiers. */
  readonly confidence: number
  /** What follows the confidence: `#`, a name, its fields, once or twice. */
  readonly tail: readonly string[]
}

function divide(rest: readonly string[], text: string): Divided {
  if (rest.length === 0) return { middle: [], confidence: 1, tail: [] }
  const isTail = (index: number) =>
    (rest[index] === '#' && rest[index + 1] === 'embedding') ||
    (rest[index]?.endsWith('#') === true && rest[index + 1] === 'SV3DT')
  const start = rest.findIndex((_, index) => index > 0 && isTail(index))
  const glued = isTail(0) && rest[0] !== '#' ? 0 : start >= 0 && rest[start] !== '#' ? start : undefined
  if (glued !== undefined) {
    // nothing separates a confidence from the 3-D track after it
    const confidence = toNumber(rest[glued]?.slice(0, -1), text)
    return { middle: rest.slice(0, glued), confidence, tail: rest.slice(glued) }
  }
  const at = start < 0 ? rest.length - 1 : start - 1
  return { middle: rest.slice(0, at), confidence: toNumber(rest[at], text), tail: rest.slice(at + 1) }
}

type Middle = Pick<DetectedObject, 'type' | 'attributes' | 'pose'>

function readMiddle(
  middle: readonly string[],
  { type, label }: Pick<DetectedObject, 'type' | 'label'>,
  text: string,
): Middle {
  if (middle.length === 0) return { type, attributes: undefined, pose: undefined }
  if (middle[0] !== '#') throw wrong('"#" is not where the attributes begin', text)
  const poseAt = middle.findIndex(
    (field, index) => index > 0 && field === '#' && POSE_NAMES.has(middle[index + 1]),
  )
  const values = middle.slice(1, poseAt < 0 ? undefined : poseAt)
  const pose = poseAt < 0 ? undefined : readPose(middle.slice(poseAt + 1), text)
  if (values.length === EMPTY_ATTRIBUTES && values.every((value) => value === '')) {
    return { type, attributes: undefined, pose }
  }
  const family = FAMILY_OF[type] ?? (label === undefined ? FAMILY_OF_COUNT.get(values.length) : undefined)
  if (family === undefined) {
    // labels of classifiers, whose names the message does not tell
    const labels = values.map((value, index) => [`classifier${index + 1}`, value] as const)
    return { type, attributes: Object.fromEntries(labels), pose }
  }
  const names = MINIMAL_ATTRIBUTES[family]
  if (values.length !== names.length)
    throw wrong(`it has ${values.length} attributes in place of ${names.length}`, text)
  const known = names
    .map((name, index) => [name, values[index] ?? ''] as const)
    .filter(([name]) => name !== '')
  return {
    type: FAMILY_OF[type] === undefined ? MASKED[family] : type,
    attributes: Object.fromEntries(known),
    pose,
  }
}

const POSE_NAMES: ReadonlySet<string | undefined> = new Set(POSE_TYPES)
const FAMILIES: readonly Family[] = ['vehicle', 'person', 'face', 'product']
const FAMILY_OF_COUNT = new Map(FAMILIES.map((family) => [MINIMAL_ATTRIBUTES[family].length, family]))
const MASKED: Readonly<Record<Family, ObjectType>> = {
  vehicle: 'vehicle-ext',
  person: 'person-ext',
  face: 'face-ext',
  product: 'product-ext',
}

function readPose([name, ...fields]: readonly string[], text: string): Pose {
  const type = POSE_TYPES.find((known) => known === name) ?? 'pose2D'
  const joints = fields
    .filter((field) => field !== '')
    .map((field) => {
      const [x = 0, y = 0, ...rest] = field
        .split(',')
        .slice(1)
        .map((value) => toNumber(value, text))
      const [z = 0, confidence = 0] = type === 'pose2D' ? [0, ...rest] : rest
      return { x, y, z, confidence }
    })
  return { type, joints }
}

function readTracking(
  [visibility, image, world, hull]: readonly string[],
  text: string,
): { visibility: number; tracking3d: Tracking3d } {
  return {
    visibility: toNumber(visibility, text),
    tracking3d: {
      footImage: pair(image, text),
      footWorld: pair(world, text),
      convexHull: numbers(hull, text),
    },
  }
}

function readMask(text: string): { trackingId: string; polygons: number[][] } {
  const [trackingId = '', , ...fields] = text.split('|')
  const polygons: number[][] = [[]]
  for (const field of fields) {
    if (field === '#') polygons.push([])
    else polygons.at(-1)?.push(toNumber(field, text))
  }
  return { trackingId, polygons }
}

function pair(field: string | undefined, text: string): readonly [number, number] {
  const [first = 0, second = 0] = numbers(field, text)
  return [first, second]
}

function numbers(field: string | undefined, text: string): number[] {
  return field === undefined || field === '' ? [] : field.split(',').map((value) => toNumber(value, text))
}

function toNumber(field: string | undefined, text: string): number {
  const value = field === undefined || field === '' ? Number.NaN : Number(field)
  if (!Number.isFinite(value)) throw wrong('a number is missing', text)
  return value
}

function wrong(why: string, text: string): Error {
  return invalid(SUBJECT, `of the object ${JSON.stringify(text.slice(0, 80))} ${why}`)
}
