import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import {
  CLOUDEVENTS_CONTENT_TYPE,
  DETECTION_EVENT_TYPE,
  isDeepStreamPayload,
  PAYLOAD_NAMES,
  PAYLOADS,
  readRecord,
  writeCloudEvent,
  writeDetection,
  writeMinimal,
} from '../../src/codec/index.ts'
import { anyEvent, detectedObject, detectionEvent } from './events.ts'

const CONTEXT = { id: '01JGF4ZQ0000000000000000AB', deviceId: 'edge-7', input: 'cameras' }

test('writeCloudEvent() writes a structured CloudEvent', () => {
  const event = detectionEvent(detectedObject())
  assert.deepEqual(JSON.parse(writeCloudEvent(event, CONTEXT)), {
    specversion: '1.0',
    id: '01JGF4ZQ0000000000000000AB',
    source: '/devices/edge-7/inputs/cameras',
    type: 'io.backhaul.detection.v1',
    subject: 'street',
    time: '2026-01-02T03:04:05.678Z',
    datacontenttype: 'application/json',
    data: JSON.parse(writeDetection(event)),
  })
})

test('writeCloudEvent() keeps the rules of CloudEvents 1.0 for any event', () => {
  const name = fc.string({ minLength: 1, unit: 'grapheme' })
  fc.assert(
    fc.property(anyEvent, name, (event, deviceId) => {
      const written: Record<string, unknown> = JSON.parse(writeCloudEvent(event, { ...CONTEXT, deviceId }))
      for (const [key, value] of Object.entries(written)) {
        assert.match(key, /^[a-z0-9]{1,20}$/)
        assert.ok(key === 'data' || (typeof value === 'string' && value.length > 0), key)
      }
      assert.equal(written['type'], DETECTION_EVENT_TYPE)
      // a URI reference: nothing but its own characters and percent signs
      assert.match(String(written['source']), /^[A-Za-z0-9\-._~!$&'()*+,;=:@%/]+$/)
    }),
  )
})

test('PAYLOADS encode a detection each in its own way', () => {
  const event = detectionEvent(detectedObject())
  const line = Buffer.from(writeDetection(event))
  const record = readRecord('detection', line)
  assert.deepEqual(record.detection, event)
  assert.equal(PAYLOADS['detection-minimal'].encode(record, CONTEXT), writeMinimal(event))
  assert.equal(PAYLOADS.cloudevents.encode(record, CONTEXT), writeCloudEvent(event, CONTEXT))
  assert.equal(PAYLOADS.json.encode(record, CONTEXT), line.toString())
  assert.equal(PAYLOADS.raw.encode(record, CONTEXT), line)
})

test('PAYLOADS pass any line on as it is under raw, and make nothing else of it', () => {
  const record = readRecord('lines', Buffer.from([0xff, 0x00]))
  const encoders = [PAYLOADS['detection-minimal'], PAYLOADS.cloudevents, PAYLOADS.json, PAYLOADS.raw]
  assert.equal(encoders.length, PAYLOAD_NAMES.filter((name) => !isDeepStreamPayload(name)).length)
  assert.deepEqual(
    encoders.map((encoder) => encoder.encode(record, CONTEXT)),
    [undefined, undefined, undefined, record.line],
  )
})

test('PAYLOADS say the content type that the protocol bindings of CloudEvents ask for', () => {
  assert.equal(PAYLOADS.cloudevents.contentType, CLOUDEVENTS_CONTENT_TYPE)
  assert.match(CLOUDEVENTS_CONTENT_TYPE, /^application\/cloudevents\+json/)
})
