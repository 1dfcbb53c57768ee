/**
 * The protobuf schema of DeepStream's message converter (`msg-conv-payload-type=2`): one `nv.Frame` for each frame.
 *
 * ```
 * Frame      version 1, id 2, timestamp 3, sensorId 4, objects 5
 * Object     id 1, bbox 2, type 3, confidence 4 float, info 5 map, embedding 6, pose 7, coordinate 12, location 13
 * Bbox       leftX 1, topY 2, rightX 3, bottomY 4, all float         Timestamp  seconds 1, nanos 2
 * Pose       type 1, keypoints 2 { name 1, coordinates 2 packed }    Embedding  vector 1 packed
 * ```
 *
 * As proto3 has it, a field with its default value is not written. The entries of `info` come in the order in which they
 * are set; the original's order is that of a hash table, and readers must not rely on any.
 */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'

import type { DetectedObject, DetectionEvent, Pose } from '../../contract/index.ts'
import { FULL_ATTRIBUTES } from './full.ts'
import { invalid } from './json-message.ts'
import { age, attribute, edges, FAMILY_OF, hasAttributes, JOINTS, TYPE_NAMES, UNTRACKED } from './kinds.ts'
import type { Family } from './kinds.ts'
import { formatFixed } from './number-format.ts'

const { LengthDelimited, Bit32 } = WireType

/**
 * Writes an event as an `nv.Frame`.
 *
 * @throws BackhaulError `INVALID_MESSAGE` when its timestamp cannot be read.
 */
export function writeProtobuf(event: DetectionEvent): Uint8Array {
  const writer = new BinaryWriter()
  writeFrameHead(writer, event)
  for (const object of event.objects) if (object.type !== 'dummy') writeObject(writer, object)
  return writer.finish()
}

/** Writes what a frame begins with. */
export function writeFrameHead(writer: BinaryWriter, { timestamp, frame, sensorId }: DetectionEvent): void {
  string(writer, 1, '4.0')
  string(writer, 2, String(frame))
  writeTimestamp(writer, timestamp)
  string(writer, 4, sensorId)
}

/** Begins an object with what every one has; `writer.join()` ends it. */
export function beginObject(writer: BinaryWriter, object: DetectedObject, type: string): void {
  const { left, top, right, bottom } = edges(object)
  writer.tag(5, LengthDelimited).fork()
  string(writer, 1, object.trackingId ?? UNTRACKED)
  writer.tag(2, LengthDelimited).fork()
  float(writer, 1, left)
  float(writer, 2, top)
  float(writer, 3, right)
  float(writer, 4, bottom)
  writer.join()
  string(writer, 3, type)
  float(writer, 4, object.confidence)
}

function writeObject(writer: BinaryWriter, object: DetectedObject): void {
  const { type, label, embedding, pose } = object
  beginObject(writer, object, type === 'unknown' && label !== undefined ? label : TYPE_NAMES[type])
  const family = hasAttributes(object) ? FAMILY_OF[type] : undefined
  if (family !== undefined) writeAttributes(writer, object, family)
  info(writer, 'visibility', fixed(object.visibility ?? 1))
  writeTracking(writer, object)
  if (embedding !== undefined && embedding.length > 0) {
    writer.tag(6, LengthDelimited).fork()
    packed(writer, 1, embedding)
    writer.join()
  }
  if (family === 'person' && pose !== undefined && pose.joints.length > 0) writePose(writer, pose)
  writer.join()
}

function writeTimestamp(writer: BinaryWriter, text: string): void {
  const milliseconds = Date.parse(text)
  if (Number.isNaN(milliseconds)) throw invalid('the detection for protobuf', 'its timestamp is no time')
  const seconds = Math.floor(milliseconds / 1000)
  const fraction = /\.(\d{1,9})/.exec(text)?.[1]?.padEnd(9, '0')
  writer.tag(3, LengthDelimited).fork()
  if (seconds !== 0) writer.tag(1, WireType.Varint).int64(seconds)
  if (fraction !== undefined && Number(fraction) !== 0) writer.tag(2, WireType.Varint).int32(Number(fraction))
  writer.join()
}

function writeAttributes(writer: BinaryWriter, object: DetectedObject, family: Family): void {
  for (const name of FULL_ATTRIBUTES[family]) {
    const value = attribute(object, name === 'licenseState' ? 'region' : name)
    info(writer, name, name === 'age' ? String(age(object)) : value)
  }
}

function writeTracking(writer: BinaryWriter, { tracking3d }: DetectedObject): void {
  if (tracking3d === undefined) return
  info(writer, 'footLocation2D', tracking3d.footImage.map(fixed).join())
  info(writer, 'footLocation3D', tracking3d.footWorld.map(fixed).join())
  info(writer, 'convexHull', tracking3d.convexHull.map((value) => Math.trunc(value) + 0).join())
}

function writePose(writer: BinaryWriter, { type, joints }: Pose): void {
  const names = JOINTS[type]
  writer.tag(7, LengthDelimited).fork()
  string(writer, 1, type)
  for (const [index, { x, y, z, confidence }] of joints.entries()) {
    const name = names[index]
    if (name === undefined) break
    writer.tag(2, LengthDelimited).fork()
    string(writer, 1, name)
    packed(writer, 2, type === 'pose2D' ? [x, y, confidence] : [x, y, z, confidence])
    writer.join()
  }
  writer.join()
}

function info(writer: BinaryWriter, name: string, value: string): void {
  // an entry of a map has both fields, even an empty value
  writer.tag(5, LengthDelimited).fork().tag(1, LengthDelimited).string(name)
  writer.tag(2, LengthDelimited).string(value).join()
}

function string(writer: BinaryWriter, field: number, value: string): void {
  if (value !== '') writer.tag(field, LengthDelimited).string(value)
}

function float(writer: BinaryWriter, field: number, value: number): void {
  const small = Math.fround(value)
  if (!Object.is(small, 0)) writer.tag(field, Bit32).float(small)
}

function packed(writer: BinaryWriter, field: number, values: readonly number[]): void {
  writer.tag(field, LengthDelimited).fork()
  for (const value of values) writer.float(Math.fround(value))
  writer.join()
}

function fixed(value: number): string {
  return formatFixed(Math.fround(value))
}
