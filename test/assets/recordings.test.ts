import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'

import { readDetection, writeDetection } from '../../src/codec/index.ts'

const lines = readFileSync(new URL('../../../assets/recordings/street.jsonl', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n')

test('every line of the street recording is a detection event, as the codec writes it', () => {
  assert.equal(lines.length, 398)
  for (const line of lines)
    assert.deepEqual(JSON.parse(writeDetection(readDetection(line))), JSON.parse(line))
})

test('the timestamps and frames of the street recording rise, five a second', () => {
  const events = lines.map((line) => readDetection(line))
  for (const [index, event] of events.entries()) {
    assert.equal(event.frame, index * 2)
    assert.equal(Date.parse(event.timestamp), Date.parse('2026-03-02T08:00:00.000Z') + index * 200)
    assert.equal(event.sensorId, 'street-cam-1')
  }
})

test('the boxes of the street recording lie in the picture, and no two objects of a frame share an id', () => {
  const ids = new Set<string>()
  for (const { objects } of lines.map((line) => readDetection(line))) {
    for (const { box, type, trackingId } of objects) {
      assert.equal(type, 'person')
      assert.ok(box.left >= 0 && box.top >= 0 && box.left + box.width <= 768 && box.top + box.height <= 576)
      assert.ok(box.width > 0 && box.height > box.width)
      ids.add(trackingId ?? '')
    }
    assert.equal(new Set(objects.map(({ trackingId }) => trackingId)).size, objects.length)
  }
  assert.equal(ids.size, 106)
})
