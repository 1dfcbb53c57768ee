import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'

import fc from 'fast-check'

import { readFull, writeFull } from '../../../src/codec/index.ts'
import type { DetectedObject, EventType, ObjectType } from '../../../src/contract/index.ts'
import { EVENT_TYPES, OBJECT_TYPES } from '../../../src/contract/index.ts'
import { detectedObject, detectionEvent } from '../events.ts'
import { anyRichEvent, PROPERTIES, RICH, uuids } from './rich.ts'

const CONFIDENCE = 0.8700000047683716
const VEHICLE = { type: 'sedan', make: 'Bugatti', model: 'M', color: 'blue', region: 'CA', license: 'X1' }
const PERSON = { age: '45', gender: 'male', hair: 'black', cap: 'none', apparel: 'formal' }
const FACE = {
  age: '25',
  gender: 'female',
  hair: 'brown',
  cap: 'none',
  glasses: 'yes',
  facialhair: 'none',
  name: 'N',
  eyecolor: 'green',
}
const PRODUCT = { brand: 'B', type: 'T', shape: 'S' }

/** What each kind of object shows, with attributes and without; `undefined` where it shows nothing. */
const SHOWN: Readonly<
  Record<
    ObjectType,
    readonly [attributes: Record<string, string> | undefined, name: string, shown: unknown, empty: unknown]
  >
> = {
  vehicle: vehicle(),
  'vehicle-ext': vehicle(),
  person: person(),
  'person-ext': person(),
  face: face(),
  'face-ext': face(),
  product: [PRODUCT, 'product', PRODUCT, { brand: '', type: '', shape: '' }],
  'product-ext': [PRODUCT, 'product', PRODUCT, { brand: '', type: '', shape: '' }],
  unknown: [undefined, 'thing', {}, {}],
  bag: [{ color: 'red' }, '', undefined, undefined],
  bicycle: [undefined, '', undefined, undefined],
  roadsign: [undefined, '', undefined, undefined],
  custom: [undefined, '', undefined, undefined],
  '3d': [undefined, '', undefined, undefined],
  dummy: [undefined, '', undefined, undefined],
}

function vehicle() {
  const { region, license, ...rest } = VEHICLE
  const shown = { ...rest, licenseState: region, license, confidence: CONFIDENCE }
  const empty = { type: '', make: '', model: '', color: '', licenseState: '', license: '', confidence: 1 }
  return [VEHICLE, 'vehicle', shown, empty] as const
}

function person() {
  const shown = { ...PERSON, age: 45, confidence: CONFIDENCE }
  return [
    PERSON,
    'person',
    shown,
    { age: 0, gender: '', hair: '', cap: '', apparel: '', confidence: 1 },
  ] as const
}

function face() {
  const empty = { age: 0, gender: '', hair: '', cap: '', glasses: '', facialhair: '', name: '', eyecolor: '' }
  return [FACE, 'face', { ...FACE, age: 25, confidence: CONFIDENCE }, { ...empty, confidence: 1 }] as const
}

const AT = { coordinate: { x: 1, y: 2, z: 3 } }
const AISLE = { aisle: { id: 'f1', name: 'f2', level: 'f3', ...AT } }
const SPOT = { parkingSpot: { id: 'f1', type: 'f2', level: 'f3', ...AT } }
const ENTRANCE = { entrance: { name: 'f1', lane: 'f2', level: 'f3', ...AT } }

function partOf(event: EventType, type: ObjectType): object {
  if (event === 'moving' || event === 'stopped') return AISLE
  if (event === 'empty' || event === 'parked') return SPOT
  if (event === 'entry' || event === 'exit') return type === 'vehicle' ? AISLE : ENTRANCE
  return {}
}

function expected(type: ObjectType, event: EventType, member: readonly [string, unknown]): unknown {
  const [name, shown] = member
  return {
    messageid: 'uuid-1',
    mdsversion: '1.0',
    '@timestamp': '2026-01-02T03:04:05.678Z',
    place: {
      id: 'p',
      name: 'Endeavor',
      type: 'garage',
      location: { lat: 30.333, lon: -40.555, alt: 100 },
      ...partOf(event, type),
    },
    sensor: {
      id: 'CAM',
      type: 'Camera',
      description: 'Entrance',
      location: { lat: 45.99, lon: 35.54, alt: 79.03 },
      coordinate: { x: 5.2, y: 10.1, z: 11.2 },
    },
    analyticsModule: { id: 'XYZ', description: 'Plates', source: 'OpenALR', version: '1.0' },
    object: {
      id: '12',
      speed: 0,
      direction: 0,
      orientation: 0,
      ...(shown === undefined ? {} : { [name]: shown }),
      bbox: { topleftx: 100, toplefty: 50, bottomrightx: 220, bottomrighty: 180 },
      location: { lat: 0, lon: 0, alt: 0 },
      coordinate: { x: 0, y: 0, z: 0 },
      pose: {},
    },
    event: { id: 'uuid-2', ...(event === 'reserved' || event === 'custom' ? {} : { type: event }) },
    videoPath: '',
  }
}

function written(object: DetectedObject): unknown {
  const event = { ...detectionEvent(object), source: 0 }
  return JSON.parse(writeFull(event, object, { properties: PROPERTIES, uuid: uuids() }))
}

for (const type of OBJECT_TYPES) {
  test(`B9: writeFull() writes the golden message of every event of the kind ${type}`, () => {
    const [attributes, name, shown, empty] = SHOWN[type]
    for (const event of EVENT_TYPES) {
      // the text tells the order of the members too
      const known = written(detectedObject({ type, label: 'thing', attributes, event }))
      assert.equal(JSON.stringify(known), JSON.stringify(expected(type, event, [name, shown])))
      const bare = written(detectedObject({ type, label: 'thing', event }))
      assert.equal(JSON.stringify(bare), JSON.stringify(expected(type, event, [name, empty])))
    }
  })
}

for (const layout of ['indented', 'compact'] as const) {
  test(`B9: writeFull() writes everything that an object can have, ${layout}, byte for byte`, () => {
    const event = { ...detectionEvent(RICH), source: 0, videoPath: '/video/"1".mp4' }
    const text = writeFull(event, RICH, { properties: PROPERTIES, layout, uuid: uuids() })
    // its layout and numbers are those of json-glib 1.6, which was given the same values
    const golden = readFileSync('test/codec/deepstream/golden/full-indented.txt', 'utf8').trimEnd()
    if (layout === 'indented') assert.equal(text, golden)
    else assert.equal(text, squeezed(golden))
  })
}

/** The golden text without its layout; no text in it holds a line end. */
function squeezed(text: string): string {
  return text
    .replaceAll(/\n */g, '')
    .replaceAll('" : ', '":')
    .replaceAll(/\{ +\}/g, '{}')
}

test('writeFull() writes null for what the properties lack, and nothing of a label that would hide a member', () => {
  const object = detectedObject({ type: 'unknown', label: 'bbox' })
  const text = writeFull(detectionEvent(object), object, { uuid: uuids() })
  const message: Record<string, unknown> = JSON.parse(text)
  assert.deepEqual([message['place'], message['sensor'], message['analyticsModule']], [null, null, null])
  assert.match(text, /"orientation":0\.0,"bbox":\{"topleftx"/)
})

test('readFull() takes a message apart so that writeFull() makes the same of it', () => {
  fc.assert(
    fc.property(anyRichEvent, (event) => {
      for (const object of event.objects) {
        const first = writeFull(event, object, { properties: PROPERTIES, layout: 'indented', uuid: uuids() })
        const { event: read, properties, messageId, eventId } = readFull(first)
        assert.deepEqual([messageId, eventId], ['uuid-1', 'uuid-2'])
        const [again] = read.objects
        assert.ok(again !== undefined)
        const named = { ...read, source: 0 }
        assert.equal(writeFull(named, again, { properties, layout: 'indented', uuid: uuids() }), first)
      }
    }),
  )
})

test('readFull() says what is wrong with a message', () => {
  assert.throws(() => readFull('{'), { code: 'INVALID_MESSAGE' })
  assert.throws(() => readFull('{"messageid":"x"}'), { code: 'INVALID_MESSAGE', message: /"object"/ })
})
