/**
 * The full schema of DeepStream's message converter (`msg-conv-payload-type=0`): one message for each object, with all
 * that is known of place, sensor and analytics module. Names, order, layout and numbers are those of its version 9.1.
 *
 * - What is a `float` in C is written as the double that it is: 0.87 becomes 0.87000000476837158.
 * - Without attributes their fields are empty, the age is 0 and the confidence 1.
 * - A place has one part, named by the event: `aisle`, `parkingSpot` or `entrance`; other events have none.
 * - `SV3DT.footLocation2D` holds all four numbers and `footLocation3D` is empty, as in the original.
 */
import { randomUUID } from 'node:crypto'

import type {
  AnalyticsProperties,
  Coordinate,
  DetectedObject,
  DetectionEvent,
  EventType,
  GeoLocation,
  PlaceProperties,
  SensorProperties,
  StaticProperties,
} from '../../contract/index.ts'
import type { JsonLayout } from '../options.ts'
import { JsonText } from './json-text.ts'
import type { Family } from './kinds.ts'
import { age, attribute, edges, FAMILY_OF, hasAttributes, JOINTS, UNTRACKED } from './kinds.ts'

/** What a message holds beside its event. */
export interface FullContext {
  /** What is known beforehand. Without it, place, sensor and analytics module are null. */
  readonly properties?: StaticProperties | undefined
  /** How it is laid out. @default 'compact' */
  readonly layout?: JsonLayout | undefined
  /** Makes the two ids of a message. @default random ones */
  readonly uuid?: (() => string) | undefined
}

/** The events that have a name in the messages. */
const EVENT_NAMES: ReadonlySet<EventType> = new Set([
  'entry',
  'exit',
  'moving',
  'stopped',
  'parked',
  'empty',
  'reset',
])

const NOWHERE: GeoLocation = { lat: 0, lon: 0, alt: 0 }
const ORIGIN: Coordinate = { x: 0, y: 0, z: 0 }
/** Names of members of `object` that no label may take. */
const OWN_NAMES: ReadonlySet<string> = new Set([
  'id',
  'speed',
  'direction',
  'orientation',
  'vehicle',
  'person',
  'face',
  'product',
  'bbox',
  'maskoutline',
  'signature',
  'location',
  'coordinate',
  'pose',
  'embedding',
  'SV3DT',
])

/** Writes the message of one object of an event. */
export function writeFull(event: DetectionEvent, object: DetectedObject, context: FullContext = {}): string {
  return createFullWriter(context)(event, object)
}

/** Makes a function that writes messages. It remembers what it wrote of each place, sensor and analytics module. */
export function createFullWriter(
  context: FullContext,
): (event: DetectionEvent, object: DetectedObject) => string {
  const { layout = 'compact', uuid = randomUUID } = context
  const surroundings = surroundingsWriter(context, layout)
  const nowhere = new JsonText(layout, 2)
  writeLocation(nowhere, NOWHERE)
  writeCoordinate(nowhere, ORIGIN)
  return (event, object) => {
    const happened = object.event ?? 'entry'
    const json = new JsonText(layout)
    json.open().string('messageid', uuid()).string('mdsversion', '1.0').string('@timestamp', event.timestamp)
    json.members(surroundings(event, partNames(happened, object)))
    writeObject(json, object, nowhere.text)
    json.name('event').open().string('id', uuid())
    if (EVENT_NAMES.has(happened)) json.string('type', happened)
    return json
      .close()
      .string('videoPath', event.videoPath ?? '')
      .close().text
  }
}

const MAX_KNOWN = 10_000

function surroundingsWriter(
  { properties }: FullContext,
  layout: JsonLayout,
): (event: DetectionEvent, part: PartNames | undefined) => string {
  const known = new Map<string, string>()
  return ({ source, placeId, moduleId }, part) => {
    const key = `${source} ${placeId} ${moduleId} ${part?.[0]}`
    const text = known.get(key)
    if (text !== undefined) return text
    const json = new JsonText(layout, 1)
    writePlace(json, at(properties?.places, placeId ?? source), (place) => writePart(json, place, part))
    writeSensor(json, at(properties?.sensors, source))
    writeAnalytics(json, at(properties?.analytics, moduleId ?? source))
    // sources are few; what names them comes from outside
    if (known.size >= MAX_KNOWN) known.clear()
    known.set(key, json.text)
    return json.text
  }
}

/** The entry of a number, where both are there. */
export function at<T>(
  entries: ReadonlyMap<number, T> | undefined,
  number: number | undefined,
): T | undefined {
  return number === undefined ? undefined : entries?.get(number)
}

/** Writes a place; `writePart` writes what is seen of it. */
export function writePlace(
  json: JsonText,
  place: PlaceProperties | undefined,
  writePart: (place: PlaceProperties) => void,
): void {
  if (place === undefined) {
    json.null('place')
    return
  }
  json.name('place').open().string('id', place.id).string('name', place.name).string('type', place.type)
  writeLocation(json, place.location)
  writePart(place)
  json.close()
}

type PartNames = readonly [part: string, first: string, second: string]
const AISLE: PartNames = ['aisle', 'id', 'name']
const PARKING_SPOT: PartNames = ['parkingSpot', 'id', 'type']
const ENTRANCE: PartNames = ['entrance', 'name', 'lane']

/** The part of a place that an event is about, by the names that its kind of event gives to the fields. */
function writePart(json: JsonText, place: PlaceProperties, names: PartNames | undefined): void {
  const [first, second, level] = place.subFields
  if (names === undefined) return
  json.name(names[0]).open().string(names[1], first).string(names[2], second).string('level', level)
  writeCoordinate(json, place.coordinate)
  json.close()
}

function partNames(event: EventType, object: DetectedObject): PartNames | undefined {
  if (event === 'moving' || event === 'stopped') return AISLE
  if (event === 'empty' || event === 'parked') return PARKING_SPOT
  if (event === 'entry' || event === 'exit') return object.type === 'vehicle' ? AISLE : ENTRANCE
  return undefined
}

/** Writes a sensor. */
export function writeSensor(json: JsonText, sensor: SensorProperties | undefined): void {
  if (sensor === undefined) {
    json.null('sensor')
    return
  }
  json.name('sensor').open().string('id', sensor.id).string('type', sensor.type)
  json.string('description', sensor.description)
  writeLocation(json, sensor.location)
  writeCoordinate(json, sensor.coordinate)
  json.close()
}

/** Writes an analytics module. */
export function writeAnalytics(json: JsonText, module: AnalyticsProperties | undefined): void {
  if (module === undefined) {
    json.null('analyticsModule')
    return
  }
  json.name('analyticsModule').open().string('id', module.id).string('description', module.description)
  json.string('source', module.source).string('version', module.version).close()
}

function writeLocation(json: JsonText, { lat, lon, alt }: GeoLocation): void {
  json.name('location').open().double('lat', lat).double('lon', lon).double('alt', alt).close()
}

/** Writes a coordinate. */
export function writeCoordinate(json: JsonText, { x, y, z }: Coordinate): void {
  json.name('coordinate').open().double('x', x).double('y', y).double('z', z).close()
}

function writeObject(json: JsonText, object: DetectedObject, nowhere: string): void {
  json.name('object').open()
  writeHead(json, object)
  writeKind(json, object)
  writeBox(json, object)
  const hasMask = object.mask !== undefined && object.mask.length > 0 && hasAttributes(object)
  if (hasMask && object.type !== 'product-ext' && object.type.endsWith('-ext'))
    writeMask(json, object.mask ?? [])
  if (object.signature !== undefined && object.signature.length > 0)
    json.doubles('signature', object.signature)
  if (object.location === undefined && object.coordinate === undefined) json.members(nowhere)
  else {
    writeLocation(json, object.location ?? NOWHERE)
    writeCoordinate(json, object.coordinate ?? ORIGIN)
  }
  writePose(json, object)
  writeEmbedding(json, object)
  writeTracking(json, object)
  json.close()
}

/** Writes the members that every object begins with. */
export function writeHead(json: JsonText, { trackingId }: DetectedObject): void {
  json.string('id', trackingId ?? UNTRACKED)
  json.double('speed', 0).double('direction', 0).double('orientation', 0)
}

/** Writes a box in whole pixels. */
export function writeBox(json: JsonText, object: DetectedObject): void {
  const { left, top, right, bottom } = edges(object)
  json.name('bbox').open().integer('topleftx', left).integer('toplefty', top)
  json.integer('bottomrightx', right).integer('bottomrighty', bottom).close()
}

function writeKind(json: JsonText, object: DetectedObject): void {
  const family = FAMILY_OF[object.type]
  if (family === undefined) {
    const { type, label } = object
    // the original lets such a label take the member's place
    if (type === 'unknown' && label !== undefined && !OWN_NAMES.has(label)) json.anyName(label).open().close()
    return
  }
  json.name(family).open()
  for (const name of FULL_ATTRIBUTES[family]) {
    if (name === 'age') json.integer(name, age(object))
    else json.string(name, attribute(object, name === 'licenseState' ? 'region' : name))
  }
  if (family !== 'product')
    json.double('confidence', hasAttributes(object) ? Math.fround(object.confidence) : 1)
  json.close()
}

/** The attributes of each family, in their order. */
export const FULL_ATTRIBUTES: Readonly<Record<Family, readonly string[]>> = {
  vehicle: ['type', 'make', 'model', 'color', 'licenseState', 'license'],
  person: ['age', 'gender', 'hair', 'cap', 'apparel'],
  face: ['age', 'gender', 'hair', 'cap', 'glasses', 'facialhair', 'name', 'eyecolor'],
  product: ['brand', 'type', 'shape'],
}

function writeMask(json: JsonText, mask: readonly (readonly number[])[]): void {
  json.name('maskoutline').open('[')
  for (const polygon of mask) json.item().doubleList(polygon)
  json.closeList()
}

function writePose(json: JsonText, { pose }: DetectedObject): void {
  json.name('pose').open()
  if (pose !== undefined) {
    const names = JOINTS[pose.type]
    for (const [index, { x, y, z, confidence }] of pose.joints.entries()) {
      const name = names[index]
      const seen = Math.fround(confidence)
      if (name === undefined || !(seen > 0)) continue
      json.name(name).open().integer('x', Math.fround(x)).integer('y', Math.fround(y))
      if (pose.type !== 'pose2D') json.integer('z', Math.fround(z))
      json.double('confidence', seen).close()
    }
  }
  json.close()
}

function writeEmbedding(json: JsonText, { embedding }: DetectedObject): void {
  if (embedding === undefined || embedding.length === 0) return
  json.name('embedding').open().integer('embedding_length', embedding.length)
  json.doubles('embedding_vector', embedding.map(Math.fround)).close()
}

function writeTracking(json: JsonText, { tracking3d, visibility }: DetectedObject): void {
  if (tracking3d === undefined) return
  const { footImage, footWorld, convexHull } = tracking3d
  json
    .name('SV3DT')
    .open()
    .double('visibility', Math.fround(visibility ?? 1))
  json.doubles('footLocation2D', [...footImage, ...footWorld].map(Math.fround)).doubles('footLocation3D', [])
  json.doubles('convexHull', convexHull.map(Math.trunc)).close()
}
