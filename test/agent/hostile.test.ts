import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'

import fc from 'fast-check'

import { Cloud, detectionLine, startAgent } from './fixture.ts'

const COUNT = 5000
const SEED = 20_260_101

/** Bytes that are no line end, so that one is one line. */
const bytes = fc
  .uint8Array({ maxLength: 200 })
  .map((array) => Buffer.from(array.map((byte) => (byte === 0x0a ? 0x20 : byte))))

/** A JSON text with something changed in the middle. */
function damaged(whole: string): fc.Arbitrary<Buffer> {
  return fc.tuple(fc.nat(whole.length), fc.nat(8), bytes).map(([at, length, other]) => {
    const text = Buffer.from(whole)
    return Buffer.concat([text.subarray(0, at), other, text.subarray(at + length)])
  })
}

function json(value: fc.Arbitrary<unknown>): fc.Arbitrary<Buffer> {
  return value.map((content) => Buffer.from(JSON.stringify(content) ?? 'undefined'))
}

const hostileText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('__proto__', 'constructor', 'ping', '../..', '+', '#', '\u0000', 'x'.repeat(300)),
)

const lines = fc.oneof(
  bytes,
  json(fc.jsonValue()),
  damaged(detectionLine('gate', 7)),
  json(
    fc
      .record(
        {
          timestamp: hostileText,
          sensorId: hostileText,
          frame: fc.anything(),
          objects: fc.array(fc.jsonValue()),
        },
        { requiredKeys: [] },
      )
      .map((value) => ({ ...value, frame: String(value.frame) })),
  ),
  json(hostileText.map((sensorId) => ({ ...Object(JSON.parse(detectionLine('x', 1))), sensorId }))),
  fc.constantFrom(
    Buffer.from('['.repeat(5000)),
    Buffer.from(`{"a":${'9'.repeat(2000)}}`),
    Buffer.alloc(3000, 0x61),
  ),
)

const commands = fc.oneof(
  bytes,
  json(fc.jsonValue()),
  damaged('{"id":"17","command":"ping","args":{"text":"hello"}}'),
  json(fc.record({ id: hostileText, command: hostileText, args: fc.jsonValue() }, { requiredKeys: [] })),
  fc.constantFrom(
    Buffer.from('['.repeat(60_000)),
    Buffer.alloc(70_000, 0x20),
    Buffer.from('{"id":"1","id":"2","command":"ping"}'),
    Buffer.from('{"id":"1","command":"ping","__proto__":{"id":"2"}}'),
  ),
)

test('10,000 malformed lines and commands: the agent answers or counts each, and goes on', async (t) => {
  const { agent, log } = await startAgent(t, {
    connections: { cloud: { url: 'memory:hostile' } },
    inputs: { camera: { type: 'tcp', port: 0, maxLineBytes: 2048 } },
    routes: [
      { from: 'camera', to: 'cloud', topic: 'cameras/{sensorId}', payload: 'cloudevents', key: 'sensorId' },
    ],
    commands: [
      { connection: 'cloud', topics: 'devices/{device}/commands', replyTopic: 'devices/{device}/replies' },
    ],
  })
  const listens = await log.line(({ text }) => text === 'input listens')
  await log.line(({ text }) => text === 'commands are taken')
  await using cloud = await Cloud.at('memory:hostile', 'devices/edge-1/replies')
  await using sink = await Cloud.at('memory:hostile', 'cameras/#')

  const sentCommands = fc.sample(commands, { numRuns: COUNT, seed: SEED })
  const sentLines = fc
    .sample(lines, { numRuns: COUNT, seed: SEED })
    .filter((line) => line.length > 0 && !line.equals(Buffer.from('\r')))
  const [, port = ''] = String(listens.fields['address']).split(':')
  const socket = connect(Number(port), '127.0.0.1')
  for (const line of sentLines) socket.write(Buffer.concat([line, Buffer.from('\n')]))
  socket.end(`${detectionLine('the-last', 1)}\n`)
  await Promise.all(sentCommands.map((payload) => cloud.send('devices/edge-1/commands', payload)))
  await cloud.send('devices/edge-1/commands', '{"id":"the-last","command":"ping"}')

  const replies = await cloud.replies(COUNT + 1)
  const last = replies.find(({ id }) => id === 'the-last')
  assert.equal(last?.status, 'ok')
  await sink.message(({ topic }) => topic === 'cameras/the-last')

  const health = agent.health()
  const camera = health.inputs['camera']
  assert.ok(camera !== undefined)
  assert.equal(camera.lines + camera.tooLong, sentLines.length + 1)
  assert.equal(camera.malformed + camera.rejected + camera.accepted, camera.lines)
  assert.ok(camera.malformed > 1000 && camera.tooLong > 100 && camera.rejected > 10, JSON.stringify(camera))
  assert.equal(health.commands[0]?.received, COUNT + 1)
  assert.equal(health.commands[0]?.answered, COUNT + 1)
  assert.ok(log.lines.length < 200, `${log.lines.length} lines were logged`)
  const { account } = health.connections['cloud'] ?? {}
  assert.equal(account?.accepted, COUNT + 1 + camera.accepted)
})
