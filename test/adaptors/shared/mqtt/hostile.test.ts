import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'
import { generate } from 'mqtt-packet'
import type { Packet } from 'mqtt-packet'

import { BackhaulError } from '../../../../src/contract/index.ts'
import { message, open, publish, subscribe } from './open.ts'
import { ScriptedBroker, wellBehaved } from './scripted-broker.ts'

/*
 * A peer that sends anything at all. Whatever it is, the link ends with a typed error (or lives, when it happened to be allowed),
 * everything published is settled, the stream ends, and nothing is thrown where nobody can catch it: the test runner fails on that.
 */

/** What may end a link here; DISCONNECT brings the codes of its reasons. */
const ALLOWED = new Set([
  'PROTOCOL_ERROR',
  'LINK_LOST',
  'REFUSED',
  'NOT_AUTHORIZED',
  'BAD_CREDENTIALS',
  'UNREACHABLE',
  'UNSUPPORTED',
  'INVALID_TOPIC',
  'INVALID_MESSAGE',
  'MESSAGE_TOO_LARGE',
])

const PACKETS: readonly Packet[] = [
  { cmd: 'connack', reasonCode: 0, sessionPresent: true },
  { cmd: 'publish', topic: 't', payload: 'x', qos: 0, dup: false, retain: false },
  {
    cmd: 'publish',
    topic: 't',
    payload: 'x'.repeat(300),
    qos: 1,
    dup: true,
    retain: true,
    messageId: 7,
    properties: {
      subscriptionIdentifier: 1,
      userProperties: { a: 'b', 'backhaul-id': 'i' },
      contentType: 'text',
    },
  },
  { cmd: 'publish', topic: 't', payload: '', qos: 2, dup: false, retain: false, messageId: 8 },
  { cmd: 'puback', messageId: 1, reasonCode: 0x87, properties: { reasonString: 'no' } },
  { cmd: 'puback', messageId: 1 },
  { cmd: 'pubrec', messageId: 1 },
  { cmd: 'pubrel', messageId: 8 },
  { cmd: 'pubcomp', messageId: 1 },
  { cmd: 'suback', messageId: 1001, granted: [1] },
  { cmd: 'unsuback', messageId: 1002, granted: [0] },
  { cmd: 'pingresp' },
  { cmd: 'pingreq' },
  { cmd: 'disconnect', reasonCode: 0x8e, properties: { reasonString: 'elsewhere' } },
  { cmd: 'auth', reasonCode: 0 },
  { cmd: 'connect', clientId: 'you', protocolVersion: 5, protocolId: 'MQTT' },
  { cmd: 'subscribe', messageId: 3, subscriptions: [{ topic: 'a', qos: 1 }] },
  { cmd: 'unsubscribe', messageId: 4, unsubscriptions: ['a'] },
]

const valid = fc.constantFrom(...PACKETS).map((packet) => generate(packet, { protocolVersion: 5 }))
/** A valid packet with some bytes changed, cut off or repeated. */
const mutated = fc
  .tuple(valid, fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 4 }), fc.option(fc.nat(40)))
  .map(([packet, changes, cut]) => {
    const bytes = Buffer.from(packet)
    for (const [at, byte] of changes) bytes[at % bytes.length] = byte
    return cut === null ? bytes : bytes.subarray(0, cut)
  })
const noise = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes))
const anything = fc
  .array(fc.oneof(valid, mutated, noise), { minLength: 1, maxLength: 12 })
  .map((parts) => Buffer.concat(parts))

test('a hostile broker ends the link with a typed error and nothing else, whatever it sends', async () => {
  await using broker = await ScriptedBroker.start(wellBehaved({ acknowledges: false }))
  await fc.assert(
    fc.asyncProperty(anything, fc.constantFrom<1 | 2>(1, 2), async (bytes, qos) => {
      const session = await open(broker, { qos })
      const deliveries = await subscribe(session, ['t'])
      const published = publish(session, [message('t', '1'), message('t', '2')])
      await broker.client.until('publish', 2)
      broker.client.raw(bytes)
      broker.client.socket.end()
      const error = await session.lost
      assert.ok(ALLOWED.has(error.code), `${error.code}: ${error.message}`)
      assert.equal((await published.all).length, 2)
      for (;;) {
        const { done, value } = await deliveries.next()
        if (done === true) break
        value.ack()
      }
      await session.close()
    }),
    { numRuns: 400 },
  )
})

test(
  'a hostile broker in place of CONNACK makes the dial reject with a typed error, whatever it sends',
  { timeout: 60_000 },
  async () => {
    let bytes: Uint8Array = Buffer.alloc(0)
    await using broker = await ScriptedBroker.start((packet, client) => {
      if (packet.cmd !== 'connect') return
      client.raw(bytes)
      client.socket.end()
    })
    await fc.assert(
      fc.asyncProperty(anything, async (next) => {
        bytes = next
        const result = await open(broker, { version: 'auto' }).catch((error: unknown) => error)
        if (result instanceof BackhaulError) {
          assert.ok(ALLOWED.has(result.code) || result.code === 'TLS_REQUIRED', result.message)
          return
        }
        // it happened to begin with a valid CONNACK
        assert.ok(typeof result === 'object' && result !== null && 'close' in result)
        if (typeof result.close === 'function') await result.close()
      }),
      { numRuns: 200 },
    )
    await broker.deserted()
  },
)

const VIOLATIONS: readonly (readonly [what: string, bytes: readonly number[]])[] = [
  ['a reserved packet type', [0x00, 0]],
  ['a packet over maxPacketBytes', [0x30, 0xff, 0xff, 0xff, 0x7f]],
  ['a length of five bytes', [0x30, 0xff, 0xff, 0xff, 0xff, 0x01]],
  ['a second CONNACK', [0x20, 3, 0, 0, 0]],
  ['an acknowledgement of nothing', [0x40, 2, 0x03, 0xe9]],
  ['an acknowledgement of packet 0', [0x40, 2, 0, 0]],
  ['a PUBREC for QoS 1', [0x50, 2, 0, 1]],
  ['a PUBCOMP of nothing', [0x70, 2, 0, 1]],
  ['a SUBACK that nobody asked for', [0x90, 4, 0xff, 0xff, 0, 1]],
  ['a PUBLISH with both QoS bits', [0x36, 5, 0, 1, 0x74, 0, 1]],
  ['a PUBLISH with packet id 0', [0x32, 6, 0, 1, 0x74, 0, 0, 0]],
  ['a PUBLISH without a topic', [0x30, 3, 0, 0, 0]],
  ['a PUBLISH to a wildcard', [0x30, 4, 0, 1, 0x23, 0]],
  ['a PUBLISH whose topic is cut off', [0x30, 3, 0, 9, 0x74]],
  ['a PUBLISH with a topic alias', [0x30, 7, 0, 1, 0x74, 3, 35, 0, 1]],
  ['a PUBLISH with an unknown property', [0x30, 6, 0, 1, 0x74, 2, 99, 0]],
  ['a PUBLISH whose properties are longer than itself', [0x30, 4, 0, 1, 0x74, 50]],
  ['a DISCONNECT whose reason is cut off', [0xe0, 5, 0x8e, 3, 0x1f, 0, 9]],
  ['a DISCONNECT with two reasons', [0xe0, 10, 0x8e, 8, 0x1f, 0, 1, 0x61, 0x1f, 0, 1, 0x62]],
  ['a PINGREQ', [0xc0, 0]],
  ['a PUBACK with wrong flags', [0x41, 2, 0, 1]],
]

test('each violation of the protocol ends the link with PROTOCOL_ERROR, and the broker is told', async () => {
  for (const [what, bytes] of VIOLATIONS) {
    await using broker = await ScriptedBroker.start(wellBehaved())
    const session = await open(broker)
    broker.client.raw(Buffer.from(bytes))
    assert.equal((await session.lost).code, 'PROTOCOL_ERROR', what)
    const goodbye = await broker.client.until('disconnect')
    assert.ok(goodbye.cmd === 'disconnect' && (goodbye.reasonCode ?? 0) >= 0x80, what)
  }
})

test('a broker that makes us answer without end and does not read is left', async () => {
  await using broker = await ScriptedBroker.start(wellBehaved())
  const session = await open(broker, { keepAliveSeconds: 0 })
  const { socket } = broker.client
  socket.pause()
  const releases = Buffer.concat(Array.from({ length: 20_000 }, () => Buffer.from([0x62, 2, 0, 9])))
  for (let round = 0; round < 200; round += 1) socket.write(releases)
  assert.equal((await session.lost).code, 'PROTOCOL_ERROR')
})
