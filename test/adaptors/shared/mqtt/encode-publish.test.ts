import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'

import fc from 'fast-check'
import { generate, parser } from 'mqtt-packet'
import type { IPublishPacket, Packet } from 'mqtt-packet'

import { decodePublish } from '../../../../src/adaptors/shared/mqtt/decode-publish.ts'
import { PublishEncoder } from '../../../../src/adaptors/shared/mqtt/encode-publish.ts'
import { FrameReader } from '../../../../src/adaptors/shared/mqtt/frames.ts'
import { Output } from '../../../../src/adaptors/shared/mqtt/output.ts'
import type { ProtocolLevel, Qos } from '../../../../src/adaptors/shared/mqtt/settings.ts'
import type { Message } from '../../../../src/contract/index.ts'

const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter(isText)
const value = fc.string({ unit: 'grapheme', maxLength: 40 }).filter(isText)
const topic = name.filter((text) => !/[+#]/.test(text))
const messages: fc.Arbitrary<Message> = fc.record({
  id: name,
  topic,
  key: fc.option(value, { nil: undefined }),
  headers: fc.option(fc.dictionary(name, value), { nil: undefined }),
  payload: fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.integer({ min: 0, max: 70_000 }).map((length) => new Uint8Array(length).fill(length)),
  ),
})
const qos = fc.constantFrom<Qos>(0, 1, 2)
const level = fc.constantFrom<ProtocolLevel>(4, 5)

function isText(text: string): boolean {
  return !text.includes('\0') && !/\p{Surrogate}/u.test(text)
}

/** What the encoder writes for some messages. */
function encode(
  batch: readonly Message[],
  options: { level: ProtocolLevel; qos: Qos; retain: boolean },
): Buffer {
  const stream = new PassThrough({ highWaterMark: 100_000_000 })
  const output = new Output(stream, () => 0, { onDrain: () => undefined, onFlood: () => undefined })
  const encoder = new PublishEncoder(output, { ...options, maxPacketBytes: 268_435_460 })
  for (const [index, message] of batch.entries()) encoder.write(message, index + 1, encoder.measure(message))
  output.flush()
  output.close()
  const bytes: unknown = stream.read()
  return Buffer.isBuffer(bytes) ? bytes : Buffer.alloc(0)
}

function parse(bytes: Buffer, protocolVersion: ProtocolLevel): Packet[] {
  const packets: Packet[] = []
  const reader = parser({ protocolVersion })
  reader.on('packet', (packet) => packets.push(packet))
  reader.on('error', (error) => assert.fail(String(error)))
  reader.parse(bytes)
  return packets
}

test('PublishEncoder writes what mqtt-packet reads, for any message', () => {
  fc.assert(
    fc.property(
      fc.array(messages, { minLength: 1, maxLength: 8 }),
      level,
      qos,
      fc.boolean(),
      (batch, level, qos, retain) => {
        const packets = parse(encode(batch, { level, qos, retain }), level)
        assert.equal(packets.length, batch.length)
        for (const [index, packet] of packets.entries()) {
          const message = batch[index]
          assert.ok(packet.cmd === 'publish' && message !== undefined)
          assert.equal(packet.topic, message.topic)
          assert.equal(packet.qos, qos)
          assert.equal(packet.retain, retain)
          assert.equal(packet.messageId, qos === 0 ? undefined : index + 1)
          assert.ok(Buffer.isBuffer(packet.payload))
          assert.ok(packet.payload.equals(Buffer.from(message.payload)))
          if (level === 5) assert.deepEqual({ ...packet.properties?.userProperties }, userProperties(message))
        }
      },
    ),
  )
})

function userProperties(message: Message): Record<string, string> {
  return {
    'backhaul-id': message.id,
    ...(message.key !== undefined && { 'backhaul-key': message.key }),
    ...message.headers,
  }
}

test('decodePublish() reads what PublishEncoder writes, for any message', () => {
  fc.assert(
    fc.property(messages, level, qos, (message, level, qos) => {
      let count = 0
      const frames = new FrameReader(1_000_000, (bytes, start, body, end) => {
        const read = decodePublish(bytes, start, body, end, level)
        count += 1
        assert.equal(read.topic, message.topic)
        assert.equal(read.qos, qos)
        assert.ok(read.payload.equals(Buffer.from(message.payload)))
        assert.equal(read.id, level === 5 ? message.id : undefined)
        assert.equal(read.key, level === 5 ? message.key : undefined)
        const headers = Object.keys(message.headers ?? {}).length === 0 ? undefined : message.headers
        assert.deepEqual(
          read.headers && { ...read.headers },
          level === 5 && headers ? { ...headers } : undefined,
        )
      })
      frames.push(encode([message], { level, qos, retain: false }))
      assert.equal(count, 1)
    }),
  )
})

test('decodePublish() reads what mqtt-packet writes, with every property that PUBLISH has', () => {
  const packet: IPublishPacket = {
    cmd: 'publish',
    qos: 1,
    dup: true,
    retain: true,
    messageId: 513,
    topic: 'a/b',
    payload: Buffer.from('hello'),
    properties: {
      payloadFormatIndicator: true,
      messageExpiryInterval: 4321,
      responseTopic: 'answers',
      correlationData: Buffer.from([1, 2, 3]),
      contentType: 'text/plain',
      subscriptionIdentifier: [1, 200, 40_000],
      userProperties: {
        'backhaul-id': 'one',
        'backhaul-key': 'k',
        constructor: 'c',
        twice: ['first', 'second'],
      },
    },
  }
  const bytes = generate(packet, { protocolVersion: 5 })
  const read: unknown[] = []
  new FrameReader(10_000, (...frame) => read.push(decodePublish(...frame, 5))).push(bytes)
  assert.deepEqual(read, [
    {
      topic: 'a/b',
      payload: Buffer.from('hello'),
      qos: 1,
      packetId: 513,
      dup: true,
      retain: true,
      subscriptions: [1, 200, 40_000],
      id: 'one',
      key: 'k',
      headers: { constructor: 'c', twice: 'first' },
    },
  ])
})

test('PublishEncoder refuses what can never be sent, with the reason', () => {
  const message: Message = {
    id: 'i',
    topic: 't',
    payload: Buffer.alloc(10),
    key: undefined,
    headers: undefined,
  }
  const stream = new PassThrough()
  const output = new Output(stream, () => 0, { onDrain: () => undefined, onFlood: () => undefined })
  const encoder = new PublishEncoder(output, { level: 5, qos: 1, retain: false, maxPacketBytes: 200 })
  const cases: [Partial<Message>, string][] = [
    [{ payload: Buffer.alloc(200) }, 'MESSAGE_TOO_LARGE'],
    [{ topic: 'a/+' }, 'INVALID_TOPIC'],
    [{ topic: '' }, 'INVALID_TOPIC'],
    [{ headers: { 'backhaul-id': 'x' } }, 'INVALID_MESSAGE'],
    [{ headers: { 'a\0': 'x' } }, 'INVALID_MESSAGE'],
    [{ key: 'k'.repeat(65_536) }, 'INVALID_MESSAGE'],
  ]
  for (const [change, code] of cases) {
    assert.throws(() => encoder.measure({ ...message, ...change }), { code })
  }
  assert.doesNotThrow(() => encoder.measure(message))
  output.close()
})

test('FrameReader cuts packets the same way however the bytes are split', () => {
  fc.assert(
    fc.property(
      fc.array(messages, { minLength: 1, maxLength: 4 }),
      fc.array(fc.integer({ min: 1, max: 5000 })),
      (batch, sizes) => {
        const bytes = encode(batch, { level: 5, qos: 1, retain: false })
        const whole: string[] = []
        new FrameReader(1_000_000, (all, start, _body, end) =>
          whole.push(all.toString('hex', start, end)),
        ).push(bytes)
        const split: string[] = []
        const frames = new FrameReader(1_000_000, (all, start, _body, end) =>
          split.push(all.toString('hex', start, end)),
        )
        let at = 0
        for (const size of [...sizes, bytes.length]) {
          if (at < bytes.length) frames.push(bytes.subarray(at, at + size))
          at += size
        }
        assert.equal(whole.length, batch.length)
        assert.deepEqual(split, whole)
      },
    ),
    { numRuns: 50 },
  )
})

test('FrameReader refuses a length over the limit before any of it is kept', () => {
  const frames = new FrameReader(1000, () => assert.fail('nothing is complete'))
  assert.throws(() => frames.push(Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f])), /more than maxPacketBytes/)
  const other = new FrameReader(1000, () => assert.fail('nothing is complete'))
  assert.throws(() => other.push(Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff])), /length is malformed/)
})
