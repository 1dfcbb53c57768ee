/**
 * The three schemas as DeepStream's converter writes them with `msg-conv-msg2p-new-api=1`: made of the detector's own
 * objects instead of events. An object has a label and the labels of its classifiers (here: its attributes, in their
 * order), and nothing else; the part of a place is called `place-sub-field`; the event has no type.
 */
import { BinaryWriter } from '@bufbuild/protobuf/wire'

import { randomUUID } from 'node:crypto'

import type { DetectedObject, DetectionEvent } from '../../contract/index.ts'
import type { FullContext } from './full.ts'
import { at, writeAnalytics, writeBox, writeCoordinate, writeHead, writePlace, writeSensor } from './full.ts'
import type { JsonLayout } from '../options.ts'
import { JsonText } from './json-text.ts'
import { hasAttributes } from './kinds.ts'
import { field, minimalBox } from './minimal.ts'
import { formatGeneral } from './number-format.ts'
import { beginObject, writeFrameHead } from './protobuf.ts'

/** Writes the message of one object of an event in the full schema of the new API. */
export function writeFullOfLabel(
  event: DetectionEvent,
  object: DetectedObject,
  context: FullContext = {},
): string {
  const { properties, layout = 'compact', uuid = randomUUID } = context
  const { source } = event
  const json = new JsonText(layout)
  json.open().string('messageid', uuid()).string('mdsversion', '1.0').string('@timestamp', event.timestamp)
  writePlace(json, at(properties?.places, source), ({ subFields: [id, name, level], coordinate }) => {
    json.name('place-sub-field').open().string('id', id).string('name', name).string('level', level)
    writeCoordinate(json, coordinate)
    json.close()
  })
  writeSensor(json, at(properties?.sensors, source))
  writeAnalytics(json, at(properties?.analytics, source))
  writeObject(json, object)
  json.name('event').open().string('id', uuid()).string('type', '').close().string('videoPath', '')
  return writeCustomMessages(json, event).close().text
}

/** Writes a detection event as minimal JSON of the new API. */
export function writeMinimalOfLabels(event: DetectionEvent, layout: JsonLayout = 'compact'): string {
  const json = new JsonText(layout)
  json.open().string('version', '4.0').string('id', String(event.frame))
  json.string('@timestamp', event.timestamp).string('sensorId', event.sensorId)
  json.strings('objects', event.objects.map(minimalOfLabel))
  return writeCustomMessages(json, event).close().text
}

/** Writes an event as an `nv.Frame` of the new API. */
export function writeProtobufOfLabels(event: DetectionEvent): Uint8Array {
  const writer = new BinaryWriter()
  writeFrameHead(writer, event)
  for (const object of event.objects) {
    beginObject(writer, object, labelOf(object))
    writer.join()
  }
  return writer.finish()
}

function writeObject(json: JsonText, object: DetectedObject): void {
  json.name('object').open()
  writeHead(json, object)
  json.anyName(labelOf(object)).open().double('confidence', Math.fround(object.confidence))
  for (const [classifier, label] of Object.entries(object.attributes ?? {})) {
    if (classifier !== '' && classifier !== 'confidence') json.anyName(classifier).value(label)
  }
  json.close()
  writeBox(json, object)
  json.name('location').open().close().name('coordinate').open().close().close()
}

function minimalOfLabel(object: DetectedObject): string {
  const text = `${minimalBox(object)}|${field(labelOf(object))}`
  if (!hasAttributes(object)) return text
  const labels = Object.values(object.attributes ?? {}).map((label) => `|${field(label)}`)
  return `${text}|#${labels.join('')}|${formatGeneral(Math.fround(object.confidence))}`
}

function writeCustomMessages(json: JsonText, { customMessages = [] }: DetectionEvent): JsonText {
  return customMessages.length === 0 ? json : json.strings('customMessage', customMessages)
}

/** The detector's label; the kind where it gave none. */
function labelOf({ label, type }: DetectedObject): string {
  return label ?? type
}
