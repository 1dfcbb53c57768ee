/**
 * The minimal schema of DeepStream's message converter (`msg-conv-payload-type=1`), as its version 9.1 writes it.
 *
 * One message a frame: `version`, `id` (the frame's number as text), `@timestamp`, `sensorId`, `objects`, and `masks`
 * where an object has one. Each object is one string, its fields separated by bars:
 *
 * ```
 * trackingId|left|top|right|bottom|Type   then   |#|attribute|attribute...   then   |confidence
 *   then, where there is one   |#|embedding|v,v,...|   and   #|SV3DT|visibility|x,y|x,y|hull,...|
 * ```
 *
 * - Numbers have six significant digits, and the box is reckoned in 32 bits, as in the original.
 * - An object that nothing tracks has the id 18446744073709551615.
 * - Without any attributes the middle part is `|#||||||`; with attributes of a kind that has none of its own it is empty.
 * - A face's attributes have an empty field before `eyecolor`, as in the original.
 * - A pose goes with a person's attributes: `|#|pose2D|name,x,y,confidence|...|`, with z for the other kinds of pose.
 * - A bar inside a label or attribute would shift every later field, so it is written as `/`.
 */
import type { DetectedObject, DetectionEvent, Pose } from '../../contract/index.ts'
import type { JsonLayout } from '../options.ts'
import { JsonText } from './json-text.ts'
import type { Family } from './kinds.ts'
import { age, attribute, edges, FAMILY_OF, hasAttributes, JOINTS, TYPE_NAMES, UNTRACKED } from './kinds.ts'
import { formatFixed, formatGeneral } from './number-format.ts'

const NO_ATTRIBUTES = '|#||||||'

/** The attributes that each family has a place for, in their order. An empty name is a field that is always empty. */
export const MINIMAL_ATTRIBUTES: Readonly<Record<Family, readonly string[]>> = {
  vehicle: ['type', 'make', 'model', 'color', 'license', 'region'],
  person: ['gender', 'age', 'hair', 'cap', 'apparel'],
  face: ['gender', 'age', 'hair', 'cap', 'glasses', 'facialhair', 'name', '', 'eyecolor'],
  product: ['brand', 'type', 'shape'],
}

/** Writes a detection event as minimal JSON. */
export function writeMinimal(event: DetectionEvent, layout: JsonLayout = 'compact'): string {
  const json = new JsonText(layout)
  json.open().string('version', '4.0').string('id', String(event.frame))
  json.string('@timestamp', event.timestamp).string('sensorId', event.sensorId)
  json.strings('objects', event.objects.map(minimalObject))
  const masks = event.objects.filter(hasMask)
  if (masks.length > 0) json.strings('masks', masks.map(minimalMask))
  return json.close().text
}

/** Writes one object as the text that stands for it in the minimal schema. */
export function minimalObject(object: DetectedObject): string {
  const { type, label, embedding, tracking3d } = object
  if (type === 'dummy') return ''
  const name = type === 'unknown' && label !== undefined ? field(label) : TYPE_NAMES[type]
  let text = `${minimalBox(object)}|${name}${attributesOf(object)}|${formatGeneral(Math.fround(object.confidence))}`
  if (embedding !== undefined && embedding.length > 0) {
    text += `|#|embedding|${embedding.map((value) => formatGeneral(Math.fround(value))).join()}|`
  }
  return tracking3d === undefined ? text : text + trackingOf(object)
}

/** Id and box of an object, as every object begins. */
export function minimalBox(object: DetectedObject): string {
  const { left, top, right, bottom } = edges(object)
  return (
    `${object.trackingId ?? UNTRACKED}|${formatGeneral(left)}|${formatGeneral(top)}|` +
    `${formatGeneral(right)}|${formatGeneral(bottom)}`
  )
}

/** Text that cannot end its field. */
export function field(text: string): string {
  return text.includes('|') ? text.replaceAll('|', '/') : text
}

function attributesOf(object: DetectedObject): string {
  if (!hasAttributes(object)) return NO_ATTRIBUTES
  const family = FAMILY_OF[object.type]
  if (family === undefined) return ''
  let text = '|#'
  for (const name of MINIMAL_ATTRIBUTES[family]) {
    text += `|${name === 'age' ? age(object) : field(attribute(object, name))}`
  }
  const { pose } = object
  return object.type === 'person' && pose !== undefined && pose.joints.length > 0 ? text + poseOf(pose) : text
}

function poseOf({ type, joints }: Pose): string {
  const names = JOINTS[type]
  let text = `|#|${type}|`
  for (const [index, { x, y, z, confidence }] of joints.entries()) {
    const name = names[index]
    if (name === undefined) break
    const numbers = type === 'pose2D' ? [x, y, confidence] : [x, y, z, confidence]
    text += `${name},${numbers.map(fixedFloat).join()}|`
  }
  return text
}

function trackingOf({ tracking3d, visibility }: DetectedObject): string {
  if (tracking3d === undefined) return ''
  const { footImage, footWorld, convexHull } = tracking3d
  return (
    `#|SV3DT|${fixedFloat(visibility ?? 1)}|${footImage.map(fixedFloat).join()}|` +
    `${footWorld.map(fixedFloat).join()}|${convexHull.map((value) => Math.trunc(value) + 0).join()}|`
  )
}

function hasMask(object: DetectedObject): boolean {
  const { type, mask } = object
  return type.endsWith('-ext') && mask !== undefined && mask.length > 0 && hasAttributes(object)
}

function minimalMask({ trackingId, mask = [] }: DetectedObject): string {
  const polygons = mask.map((polygon) => polygon.map((value) => `|${formatGeneral(value)}`).join(''))
  return `${trackingId ?? UNTRACKED}|${mask.length}${polygons.join('|#')}`
}

function fixedFloat(value: number): string {
  return formatFixed(Math.fround(value))
}
