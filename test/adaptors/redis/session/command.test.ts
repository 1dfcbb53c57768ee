import assert from 'node:assert/strict'
import { test } from 'node:test'

import { Decoder } from '@redis/client/dist/lib/RESP/decoder.js'
import fc from 'fast-check'

import { EntryEncoder } from '../../../../src/adaptors/redis/produce/entry.ts'
import { CommandWriter } from '../../../../src/adaptors/redis/session/command.ts'
import { message } from '../../support.ts'

/** A command is an array of texts, as an answer may be one: the driver's decoder reads it. */
function decode(bytes: Buffer, cutAt: number): unknown[] {
  const found: unknown[] = []
  const decoder = new Decoder({
    onReply: (reply: unknown) => found.push(reply),
    onErrorReply: () => assert.fail(),
    onPush: () => assert.fail(),
    getTypeMapping: () => ({ 36: Buffer }),
  })
  decoder.write(bytes.subarray(0, cutAt))
  decoder.write(bytes.subarray(cutAt))
  return found
}

const text = fc.string({ unit: 'binary', maxLength: 40 })
const bytes = fc.oneof(fc.uint8Array({ maxLength: 50 }), fc.uint8Array({ minLength: 8190, maxLength: 8195 }))

test('CommandWriter writes whatever texts and bytes so that they are read the same', () => {
  const commands = fc.array(fc.array(fc.oneof(text, bytes), { minLength: 1, maxLength: 6 }), { maxLength: 8 })
  fc.assert(
    fc.property(commands, fc.nat(), (commands, place) => {
      const writer = new CommandWriter()
      for (const command of commands) writer.command(command)
      const written = Buffer.concat(writer.take())
      assert.deepEqual(
        decode(written, place % (written.length + 1)),
        commands.map((command) => command.map((one) => Buffer.from(one))),
      )
      assert.deepEqual(writer.take(), [])
    }),
    { numRuns: 200 },
  )
})

test('EntryEncoder writes each message as one XADD, the payload first', () => {
  const options = {
    maxStreamLength: 9,
    payloadField: 'metadata',
    idField: 'id',
    keyField: 'key',
    headersField: 'h',
  }
  const some = fc.record({ topic: text, payload: bytes, key: fc.option(text, { nil: undefined }) })
  fc.assert(
    fc.property(fc.array(some, { maxLength: 5 }), (list) => {
      const [writer, encoder] = [new CommandWriter(), new EntryEncoder(options)]
      const batch = list.map(({ topic, payload, key }) =>
        message(topic, payload, { key, headers: { a: 'ü' } }),
      )
      for (const one of batch) encoder.write(writer, one)
      const wanted = batch.map(({ topic, payload, id, key }) => {
        const begin = ['XADD', topic, 'MAXLEN', '~', '9', '*', 'metadata', payload, 'id', id]
        return [...begin, ...(key === undefined ? [] : ['key', key]), 'h', '{"a":"ü"}']
      })
      assert.deepEqual(
        decode(Buffer.concat(writer.take()), 0),
        wanted.map((command) => command.map((one) => Buffer.from(one))),
      )
    }),
    { numRuns: 100 },
  )
})
