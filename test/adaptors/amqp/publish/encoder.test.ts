import assert from 'node:assert/strict'
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'

import fc from 'fast-check'

import { amqp } from '../../../../src/adaptors/amqp/index.ts'
import { MessageEncoder } from '../../../../src/adaptors/amqp/publish/encoder.ts'
import { readContentHeader } from '../../../../src/adaptors/amqp/wire/content.ts'
import { Cursor } from '../../../../src/adaptors/amqp/wire/cursor.ts'
import { FrameSplitter } from '../../../../src/adaptors/amqp/wire/frames.ts'
import { FRAME, METHOD } from '../../../../src/adaptors/amqp/wire/protocol.ts'
import { Output } from '../../../../src/adaptors/shared/mqtt/output.ts'
import type { Message } from '../../../../src/contract/index.ts'
import { parseAddress } from '../../../../src/kit/address.ts'

const text = fc.string({ unit: 'grapheme', maxLength: 40 }).filter((one) => Buffer.byteLength(one) < 256)
const message: fc.Arbitrary<Message> = fc.record({
  id: text.filter((id) => id !== ''),
  topic: fc.stringMatching(/^[a-z]{1,20}(\.[a-z]{1,20}){0,5}$/),
  payload: fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.nat(40_000).map((size) => new Uint8Array(size).fill(7)),
  ),
  key: fc.option(text, { nil: undefined }),
  headers: fc.option(
    fc.dictionary(
      text.filter((name) => name !== 'backhaul-key' && !name.startsWith('x-')),
      text,
      { minKeys: 1, maxKeys: 5, noNullPrototype: true },
    ),
    { nil: undefined },
  ),
})

/** Writes a message and reads it back. */
async function through(sent: Message, frameMaxBytes: number) {
  const stream = new PassThrough({ highWaterMark: 10_000_000 })
  const output = new Output(stream, () => 0, { onDrain: () => undefined, onFlood: () => undefined })
  const encoder = new MessageEncoder(output, amqp.options(parseAddress('amqp://a'), {}), frameMaxBytes)
  encoder.measure(sent)
  encoder.write(sent, 5)
  output.flush()
  stream.end()
  const bodies: Buffer[] = []
  let topic = ''
  let header: ReturnType<typeof readContentHeader> | undefined
  const splitter = new FrameSplitter(frameMaxBytes, (kind, channel, bytes, from, to) => {
    assert.equal(channel, 5)
    const cursor = new Cursor(bytes, from, to)
    if (kind === FRAME.body) bodies.push(bytes.subarray(from, to))
    else if (kind === FRAME.header) header = readContentHeader(cursor, 'text/plain')
    else {
      assert.deepEqual([cursor.u32(), cursor.u16(), cursor.shortText()], [METHOD.publish, 0, 'amq.topic'])
      topic = cursor.shortText()
    }
  })
  stream.on('data', (chunk: Buffer) => splitter.push(chunk))
  await once(stream, 'end')
  return { header, topic, payload: Buffer.concat(bodies) }
}

test('a message is read as it was written, whatever its size and the size of frames', async () => {
  await fc.assert(
    fc.asyncProperty(message, fc.constantFrom(4096, 20_000, 131_072), async (sent, frameMaxBytes) => {
      const { header, topic, payload } = await through(sent, frameMaxBytes)
      assert.ok(header !== undefined)
      assert.equal(topic, sent.topic)
      assert.ok(payload.equals(sent.payload))
      assert.deepEqual([header.size, header.id, header.key], [sent.payload.length, sent.id, sent.key])
      assert.deepEqual({ ...header.headers }, { ...sent.headers })
    }),
  )
})
