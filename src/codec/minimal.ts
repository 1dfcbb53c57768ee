/**
 * The minimal schema of DeepStream's message converter (`msg-conv-payload-type=1`), as its version 9.1 writes it.
 *
 * One message a frame: `version`, `id` (the frame's number as text), `@timestamp`, `sensorId`, `objects`. Each object is
 * one string, its fields separated by bars:
 *
 * ```
 * trackingId|left|top|right|bottom|Type   then   |#|attribute|attribute...   then   |confidence
 * ```
 *
 * - Numbers have six significant digits, and the box is reckoned in 32 bits, as in the original.
 * - An object that nothing tracks has the id 18446744073709551615.
 * - Without any attributes the middle part is `|#||||||`; with attributes of a kind that has none of its own it is empty.
 * - A face's attributes have an empty field before `eyecolor`, as in the original.
 * - A bar inside a label or attribute would shift every later field, so it is written as `/`.
 *
 * The layout is compact; the original's is indented. Consumers compare values.
 */
import type { DetectedObject, DetectionEvent, ObjectType } from '../contract/index.ts'
import { formatGeneral } from './number-format.ts'

const UNTRACKED = '18446744073709551615'
const NO_ATTRIBUTES = '|#||||||'

const TYPE_NAMES: Readonly<Record<ObjectType, string>> = {
  vehicle: 'Vehicle',
  person: 'Person',
  face: 'Face',
  bag: 'Bag',
  bicycle: 'Bicycle',
  roadsign: 'RoadSign',
  product: 'Product',
  custom: 'Custom',
  unknown: 'Unknown',
}

/** The attributes that a kind of object has a place for, in their order. An empty name is a field that is always empty. */
const ATTRIBUTES: Readonly<Partial<Record<ObjectType, readonly string[]>>> = {
  vehicle: ['type', 'make', 'model', 'color', 'license', 'region'],
  person: ['gender', 'age', 'hair', 'cap', 'apparel'],
  face: ['gender', 'age', 'hair', 'cap', 'glasses', 'facialhair', 'name', '', 'eyecolor'],
  product: ['brand', 'type', 'shape'],
}

/** Writes a detection event as minimal JSON. */
export function writeMinimal(event: DetectionEvent): string {
  return JSON.stringify({
    version: '4.0',
    id: String(event.frame),
    '@timestamp': event.timestamp,
    sensorId: event.sensorId,
    objects: event.objects.map(minimalObject),
  })
}

/** Writes one object as the text that stands for it in the minimal schema. */
export function minimalObject(object: DetectedObject): string {
  const { box, type } = object
  const left = Math.fround(box.left)
  const top = Math.fround(box.top)
  const right = Math.fround(left + Math.fround(box.width))
  const bottom = Math.fround(top + Math.fround(box.height))
  const name = type === 'unknown' && object.label !== undefined ? field(object.label) : TYPE_NAMES[type]
  return (
    `${object.trackingId ?? UNTRACKED}|${formatGeneral(left)}|${formatGeneral(top)}|` +
    `${formatGeneral(right)}|${formatGeneral(bottom)}|${name}${attributesOf(object)}|${formatGeneral(object.confidence)}`
  )
}

function attributesOf({ type, attributes }: DetectedObject): string {
  if (attributes === undefined || isEmpty(attributes)) return NO_ATTRIBUTES
  const names = ATTRIBUTES[type]
  if (names === undefined) return ''
  let text = '|#'
  for (const name of names) {
    // an age is a number in the original, and 0 where nobody knows it
    const value = Object.hasOwn(attributes, name) ? attributes[name] : undefined
    text += `|${field(value ?? (name === 'age' ? '0' : ''))}`
  }
  return text
}

function isEmpty(attributes: Readonly<Record<string, string>>): boolean {
  for (const _ in attributes) return false
  return true
}

function field(text: string): string {
  return text.includes('|') ? text.replaceAll('|', '/') : text
}
