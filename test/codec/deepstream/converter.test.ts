import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { ConverterOptions } from '../../../src/codec/index.ts'
import { createConverter, readFull, readMinimal, readProtobuf } from '../../../src/codec/index.ts'
import type { DetectedObject, DetectionEvent } from '../../../src/contract/index.ts'
import { detectedObject, detectionEvent } from '../events.ts'
import { PROPERTIES, uuids } from './rich.ts'
import { createJsonPath } from '../../../src/kit/json-path.ts'

const CAR = detectedObject({
  type: 'unknown',
  label: 'car',
  attributes: { color: 'blue', confidence: 'x', make: 'B|W' },
})

function texts(options: ConverterOptions, event: DetectionEvent): string[] {
  return createConverter({ uuid: uuids(), now: () => 0, ...options })(event).payloads.map((payload) =>
    typeof payload === 'string' ? payload : Buffer.from(payload).toString('latin1'),
  )
}

function frame(number: number, ...objects: DetectedObject[]): DetectionEvent {
  return { ...detectionEvent(...objects), sensorId: '0', frame: number }
}

test('createConverter() makes a full payload of each object, a minimal or protobuf one of each frame', () => {
  const event = frame(7, detectedObject(), detectedObject({ trackingId: '13' }))
  const counts = (['full', 'minimal', 'protobuf', 'custom'] as const).map(
    (schema) => texts({ schema }, event).length,
  )
  assert.deepEqual(counts, [2, 1, 1, 1])
  assert.deepEqual(texts({ schema: 'custom' }, event), ['CUSTOM Schema\0'])
})

test('createConverter() makes nothing of a frame without objects, unless a dummy is wanted', () => {
  for (const schema of ['full', 'minimal', 'protobuf'] as const)
    assert.deepEqual(texts({ schema }, frame(7)), [])
  const [text = ''] = texts({ schema: 'minimal', dummyPayload: true }, frame(7))
  assert.deepEqual(readMinimal(text).objects, [])
  assert.deepEqual(texts({ schema: 'full', dummyPayload: true }, frame(7)), [])
})

test('createConverter() takes only the objects of its component', () => {
  const event = frame(
    7,
    detectedObject({ componentId: 2 }),
    detectedObject({ trackingId: '13', componentId: 3 }),
  )
  const ids = (componentId: number) =>
    texts({ schema: 'full', componentId }, event).map((text) => readFull(text).event.objects[0]?.trackingId)
  assert.deepEqual([ids(0), ids(3), ids(4)], [['12', '13'], ['13'], []])
})

test('createConverter() finds the sensor by its id or number, and names it as the original does', () => {
  const event = (sensorId: string, more: object = {}) => ({
    ...frame(0, detectedObject()),
    sensorId,
    ...more,
  })
  const name = (properties: ConverterOptions['properties'], made: DetectionEvent) =>
    readMinimal(texts({ schema: 'minimal', properties, sensors: { gate: 0 } }, made)[0] ?? '').sensorId
  assert.equal(name(PROPERTIES, event('CAM')), 'CAM')
  assert.equal(name(PROPERTIES, event('0')), 'CAM')
  assert.equal(name(PROPERTIES, event('1')), '')
  assert.equal(name(PROPERTIES, event('street')), 'street')
  assert.equal(name(PROPERTIES, event('', { source: 0 })), 'CAM')
  assert.equal(name(undefined, event('3')), '0')
  assert.equal(name(undefined, event('gate')), 'gate')
  const sensorOf = (made: DetectionEvent) =>
    readFull(
      texts({ schema: 'full', properties: PROPERTIES, sensors: { gate: 0 } }, made)[0] ?? '',
    ).properties.sensors.get(0)?.id
  assert.deepEqual([sensorOf(event('gate')), sensorOf(event('1'))], ['CAM', undefined])
})

test('B9: the new API writes a full message of a label and its classifiers', () => {
  const event = { ...frame(30, CAR), customMessages: ['hello'] }
  const [text] = texts({ schema: 'full', newApi: true, properties: PROPERTIES }, event)
  assert.equal(
    text,
    '{"messageid":"uuid-1","mdsversion":"1.0","@timestamp":"1970-01-01T00:00:00.000Z",' +
      '"place":{"id":"p","name":"Endeavor","type":"garage","location":{"lat":30.332999999999998,"lon":-40.555,"alt":100.0},' +
      '"place-sub-field":{"id":"f1","name":"f2","level":"f3","coordinate":{"x":1.0,"y":2.0,"z":3.0}}},' +
      '"sensor":{"id":"CAM","type":"Camera","description":"Entrance","location":{"lat":45.990000000000002,"lon":35.539999999999999,"alt":79.030000000000001},' +
      '"coordinate":{"x":5.2000000000000002,"y":10.1,"z":11.199999999999999}},' +
      '"analyticsModule":{"id":"XYZ","description":"Plates","source":"OpenALR","version":"1.0"},' +
      '"object":{"id":"12","speed":0.0,"direction":0.0,"orientation":0.0,"car":{"confidence":0.87000000476837158,"color":"blue","make":"B|W"},' +
      '"bbox":{"topleftx":100,"toplefty":50,"bottomrightx":220,"bottomrighty":180},"location":{},"coordinate":{}},' +
      '"event":{"id":"uuid-2","type":""},"videoPath":"","customMessage":["hello"]}',
  )
})

test('B9: the new API writes a minimal message with a confidence only where there are classifiers', () => {
  const event = frame(30, CAR, detectedObject({ label: undefined }))
  assert.deepEqual(texts({ schema: 'minimal', newApi: true, properties: PROPERTIES }, event), [
    '{"version":"4.0","id":"30","@timestamp":"1970-01-01T00:00:00.000Z","sensorId":"CAM",' +
      '"objects":["12|100|50.5|220|180|car|#|blue|x|B/W|0.87","12|100|50.5|220|180|person"]}',
  ])
})

test('B9: the new API writes a protobuf message of id, box, label and confidence', () => {
  const { payloads } = createConverter({ schema: 'protobuf', newApi: true, now: () => 0 })(frame(0, CAR))
  const [payload] = payloads
  assert.ok(payload instanceof Uint8Array)
  assert.deepEqual(readProtobuf(payload).objects, [
    {
      trackingId: '12',
      type: 'unknown',
      label: 'car',
      confidence: Math.fround(0.87),
      box: { left: 100, top: 50.5, width: 120, height: 129.5 },
    },
  ])
})

test('the new API takes every thirtieth frame, or as many as it is told, also one without objects', () => {
  const frames = Array.from({ length: 61 }, (_, number) => frame(number))
  const taken = (frameInterval?: number) =>
    frames
      .filter((event) => texts({ schema: 'minimal', newApi: true, frameInterval }, event).length > 0)
      .map(({ frame: at }) => at)
  assert.deepEqual(taken(), [0, 30, 60])
  assert.deepEqual(taken(25), [0, 25, 50])
})

test('B3: the default key and a key of one level lie where the schemas have them', () => {
  const event = { ...frame(0, detectedObject()), sensorId: 'CAM' }
  const [full = ''] = texts({ schema: 'full', properties: PROPERTIES }, event)
  const [minimal = ''] = texts({ schema: 'minimal', properties: PROPERTIES }, event)
  const key = (path: string, text: string) => createJsonPath(path)(Buffer.from(text))
  assert.equal(key('sensor.id', full), 'CAM')
  assert.equal(key('sensorId', minimal), 'CAM')
  assert.equal(key('sensor.id', minimal), undefined)
  assert.equal(key('object.speed', full), undefined)
  assert.equal(key('senso.id', full), undefined)
})
