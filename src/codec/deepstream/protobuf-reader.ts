/** Reads an `nv.Frame` back; see protobuf.ts. Fields that it does not know are passed over. */
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'

import type {
  Coordinate,
  DetectedObject,
  DetectionEvent,
  GeoLocation,
  Joint,
  Pose,
  Tracking3d,
} from '../../contract/index.ts'
import { BackhaulError, POSE_TYPES } from '../../contract/index.ts'
import { compact, invalid } from './json-message.ts'
import type { Family } from './kinds.ts'
import { FAMILY_OF, typeOfName, UNTRACKED } from './kinds.ts'
import { FULL_ATTRIBUTES } from './full.ts'

const SUBJECT = 'the protobuf message'

/**
 * Reads a message of the protobuf schema.
 *
 * @throws BackhaulError `INVALID_MESSAGE` when it is no `nv.Frame`.
 */
export function readProtobuf(message: Uint8Array): DetectionEvent {
  try {
    return readFrame(new BinaryReader(message))
  } catch (error) {
    if (error instanceof BackhaulError) throw error
    throw invalid(SUBJECT, 'it is no nv.Frame, send one serialised frame', error)
  }
}

/** The sensor's id of a message of the protobuf schema, by a look at its outermost fields; `undefined` where there is none. */
export function readProtobufSensorId(message: Uint8Array): string | undefined {
  const reader = new BinaryReader(message)
  let sensorId = ''
  try {
    eachField(reader, reader.len, {
      4: () => {
        sensorId = reader.string()
      },
    })
  } catch {
    // whatever else it is, it is no frame
    return undefined
  }
  return sensorId === '' ? undefined : sensorId
}

function readFrame(reader: BinaryReader): DetectionEvent {
  const frame = { timestamp: '', sensorId: '', frame: 0 }
  const objects: DetectedObject[] = []
  eachField(reader, reader.len, {
    2: () => {
      const id = reader.string()
      if (!/^\d{1,15}$/.test(id)) throw invalid(SUBJECT, 'its id is not a decimal number')
      frame.frame = Number(id)
    },
    3: () => {
      frame.timestamp = readTimestamp(reader)
    },
    4: () => {
      frame.sensorId = reader.string()
    },
    5: () => objects.push(readObject(reader)),
  })
  return { ...frame, objects }
}

type Fields = Readonly<Record<number, (type: WireType) => unknown>>

/** Calls the reader of each field; passes over the others. */
function eachField(reader: BinaryReader, end: number, fields: Fields): void {
  while (reader.pos < end) {
    const [field, type] = reader.tag()
    const read = fields[field]
    if (read === undefined) reader.skip(type, field)
    else read(type)
  }
  if (reader.pos !== end) throw invalid(SUBJECT, 'a part of it is longer than it says')
}

/** As eachField(), for a message within a message. */
function within(reader: BinaryReader, fields: Fields): void {
  const length = reader.uint32()
  const end = reader.pos + length
  if (end > reader.len) throw invalid(SUBJECT, 'it ends too early')
  eachField(reader, end, fields)
}

function readTimestamp(reader: BinaryReader): string {
  let seconds = 0
  let nanos = 0
  within(reader, {
    1: () => {
      seconds = Number(reader.int64())
    },
    2: () => {
      nanos = reader.int32()
    },
  })
  const date = new Date(seconds * 1000 + Math.floor(nanos / 1e6))
  if (Number.isNaN(date.getTime())) throw invalid(SUBJECT, 'its timestamp is out of range')
  return date.toISOString()
}

interface ObjectParts {
  id: string
  name: string
  confidence: number
  embedding?: number[]
  pose?: Pose
  coordinate?: Coordinate
  location?: GeoLocation
}

function readObject(reader: BinaryReader): DetectedObject {
  const parts: ObjectParts = { id: '', name: '', confidence: 0 }
  const info = new Map<string, string>()
  const box = { left: 0, top: 0, right: 0, bottom: 0 }
  within(reader, {
    1: () => (parts.id = reader.string()),
    2: () =>
      within(reader, {
        1: () => (box.left = reader.float()),
        2: () => (box.top = reader.float()),
        3: () => (box.right = reader.float()),
        4: () => (box.bottom = reader.float()),
      }),
    3: () => (parts.name = reader.string()),
    4: () => (parts.confidence = reader.float()),
    5: () => readEntry(reader, info),
    6: () => (parts.embedding = readEmbedding(reader)),
    7: () => (parts.pose = readPose(reader)),
    12: () => {
      const [x, y, z] = readDoubles(reader)
      parts.coordinate = { x, y, z }
    },
    13: () => {
      const [lat, lon, alt] = readDoubles(reader)
      parts.location = { lat, lon, alt }
    },
  })
  if (!/^\d{1,20}$/.test(parts.id)) throw invalid(SUBJECT, 'the id of an object is not a decimal number')
  return objectOf(parts, box, info)
}

function objectOf(
  { id, name, confidence, ...rest }: ObjectParts,
  box: { left: number; top: number; right: number; bottom: number },
  info: ReadonlyMap<string, string>,
): DetectedObject {
  const named = typeOfName(name)
  const family = FAMILY_OF[named.type] ?? (named.label === undefined ? familyOf(info) : undefined)
  const visibility = info.get('visibility')
  return compact({
    trackingId: id === UNTRACKED ? undefined : id,
    type:
      family !== undefined && FAMILY_OF[named.type] === undefined ? (`${family}-ext` as const) : named.type,
    label: named.label,
    confidence,
    box: { left: box.left, top: box.top, width: box.right - box.left, height: box.bottom - box.top },
    attributes: family === undefined ? undefined : attributesOf(info, family),
    ...rest,
    visibility: visibility === undefined ? undefined : Number(visibility),
    tracking3d: trackingOf(info),
  })
}

/** Kinds with a mask have no name of their own: what is known of them tells which they are. */
function familyOf(info: ReadonlyMap<string, string>): Family | undefined {
  if (info.has('make')) return 'vehicle'
  if (info.has('eyecolor')) return 'face'
  if (info.has('apparel')) return 'person'
  return info.has('brand') ? 'product' : undefined
}

function attributesOf(info: ReadonlyMap<string, string>, family: Family): Record<string, string> | undefined {
  const known = FULL_ATTRIBUTES[family].filter((name) => info.has(name))
  if (known.length === 0) return undefined
  return Object.fromEntries(
    known.map((name) => [name === 'licenseState' ? 'region' : name, info.get(name) ?? '']),
  )
}

function trackingOf(info: ReadonlyMap<string, string>): Tracking3d | undefined {
  const image = info.get('footLocation2D')
  if (image === undefined) return undefined
  return {
    footImage: pair(image),
    footWorld: pair(info.get('footLocation3D') ?? ''),
    convexHull: numbers(info.get('convexHull') ?? ''),
  }
}

function pair(text: string): readonly [number, number] {
  const [first = 0, second = 0] = numbers(text)
  return [first, second]
}

function numbers(text: string): number[] {
  const values = text === '' ? [] : text.split(',').map(Number)
  if (values.some((value) => !Number.isFinite(value))) throw invalid(SUBJECT, 'a number in its info is none')
  return values
}

function readEntry(reader: BinaryReader, info: Map<string, string>): void {
  let name = ''
  let value = ''
  within(reader, { 1: () => (name = reader.string()), 2: () => (value = reader.string()) })
  info.set(name, value)
}

function readEmbedding(reader: BinaryReader): number[] {
  const vector: number[] = []
  within(reader, { 1: (type) => readFloats(reader, type, vector) })
  return vector
}

function readPose(reader: BinaryReader): Pose {
  let name = ''
  const coordinates: number[][] = []
  within(reader, {
    1: () => (name = reader.string()),
    2: () => {
      const values: number[] = []
      within(reader, { 2: (type) => readFloats(reader, type, values) })
      coordinates.push(values)
    },
  })
  const type = POSE_TYPES.find((known) => known === name) ?? 'pose3D'
  return { type, joints: coordinates.map((values) => jointOf(values, type === 'pose2D')) }
}

function jointOf(values: readonly number[], flat: boolean): Joint {
  const [x = 0, y = 0, third = 0, fourth = 0] = values
  return flat ? { x, y, z: 0, confidence: third } : { x, y, z: third, confidence: fourth }
}

/** Packed, as every current writer has it, or one by one. */
function readFloats(reader: BinaryReader, type: WireType, values: number[]): void {
  if (type === WireType.Bit32) {
    values.push(reader.float())
    return
  }
  const length = reader.uint32()
  const end = reader.pos + length
  if (end > reader.len) throw invalid(SUBJECT, 'it ends too early')
  while (reader.pos < end) values.push(reader.float())
}

function readDoubles(reader: BinaryReader): [number, number, number] {
  const values: [number, number, number] = [0, 0, 0]
  within(reader, {
    1: () => (values[0] = reader.double()),
    2: () => (values[1] = reader.double()),
    3: () => (values[2] = reader.double()),
  })
  return values
}
