import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { RoutingContext } from '../../src/agent/routes.ts'
import { routeLines } from '../../src/agent/routes.ts'
import type { PayloadName } from '../../src/codec/index.ts'
import type { OutboundMessage } from '../../src/contract/index.ts'
import { BackhaulError } from '../../src/contract/index.ts'
import { detectionLine } from './fixture.ts'

const CONTEXT: RoutingContext = {
  deviceId: 'edge-1',
  input: 'camera',
  schema: 'detection',
  nextId: () => 'id-1',
}

function routed(
  topic: string,
  options: { payload?: PayloadName; key?: string } = {},
  schema: RoutingContext['schema'] = 'detection',
) {
  const sent: OutboundMessage[] = []
  const send = (message: OutboundMessage) => Promise.resolve(sent.push(message))
  const route = { topic, payload: options.payload ?? 'json', key: options.key, send }
  return { sent, handle: routeLines([route], { ...CONTEXT, schema }) }
}

test('routeLines() fills topic and key from the detection and says what the payload is', async () => {
  const { sent, handle } = routed('{device}/{input}/{sensorId}/x/{sensorId}', { key: 'sensorId' })
  assert.deepEqual(await handle(Buffer.from(detectionLine('gate', 7))), {
    accepted: 1,
    errors: [],
    malformed: false,
  })
  assert.deepEqual(
    sent.map(({ id, topic, key, headers }) => [id, topic, key, headers]),
    [['id-1', 'edge-1/camera/gate/x/gate', 'gate', { 'content-type': 'application/json' }]],
  )
})

test('B3: routeLines() finds the key at a dotted path of the payload, and none where there is no text', async () => {
  const line = '{"sensor":{"id":"gate","place":{"name":"door"}},"kind":"car","count":3}'
  const keys: (string | undefined)[] = []
  for (const key of ['sensor.id', 'kind', 'sensor.place.name', 'sensor.place', 'sensor.nothing', 'count']) {
    const { sent, handle } = routed('t', { payload: 'raw', key }, 'lines')
    await handle(Buffer.from(line))
    keys.push(sent[0]?.key)
  }
  assert.deepEqual(keys, ['gate', 'car', 'door', undefined, undefined, undefined])
})

test('B3: routeLines() finds the key in the messages of DeepStream, and the sensor for protobuf', async () => {
  const payloads = ['deepstream-minimal', 'deepstream-protobuf'] as const
  const keys: (string | undefined)[] = []
  for (const payload of payloads) {
    const { sent, handle } = routed('t', {
      payload,
      key: payload === 'deepstream-minimal' ? 'sensorId' : 'sensor.id',
    })
    await handle(Buffer.from(detectionLine('gate', 7)))
    keys.push(sent[0]?.key)
  }
  assert.deepEqual(keys, ['gate', 'gate'])
})

test('routeLines() lets no data choose another branch of the topic tree', async () => {
  const { sent, handle } = routed('cameras/{sensorId}/detections')
  for (const sensorId of ['a/b', '+', '#', 'x\u0000', '../..']) {
    const outcome = await handle(Buffer.from(detectionLine(sensorId, 1)))
    assert.deepEqual(
      outcome.errors.map(({ code }) => code),
      ['INVALID_TOPIC'],
      sensorId,
    )
  }
  assert.deepEqual(sent, [])
})

test('routeLines() counts a malformed line and sends nothing', async () => {
  const { sent, handle } = routed('t')
  const outcome = await handle(Buffer.from('{"sensorId":7}'))
  assert.deepEqual([outcome.malformed, outcome.errors[0]?.code, sent.length], [true, 'INVALID_MESSAGE', 0])
})

test('routeLines() goes on with the other routes when one outbox takes nothing', async () => {
  const sent: OutboundMessage[] = []
  const full = new BackhaulError('OUTBOX_FULL', 'Cannot send: the outbox is full, wait')
  const routes = [
    { topic: 'a', payload: 'raw' as const, key: undefined, send: () => Promise.reject(full) },
    {
      topic: 'b',
      payload: 'raw' as const,
      key: undefined,
      send: (m: OutboundMessage) => Promise.resolve(sent.push(m)),
    },
  ]
  const outcome = await routeLines(routes, { ...CONTEXT, schema: 'lines' })(Buffer.from('any text'))
  assert.deepEqual(outcome, { accepted: 1, errors: [full], malformed: false })
  assert.deepEqual(
    sent.map(({ topic, payload, headers }) => [topic, payload.toString(), headers]),
    [['b', 'any text', undefined]],
  )
})
