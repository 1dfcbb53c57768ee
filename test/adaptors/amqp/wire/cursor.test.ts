import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { readContentHeader } from '../../../../src/adaptors/amqp/wire/content.ts'
import { Cursor } from '../../../../src/adaptors/amqp/wire/cursor.ts'
import { MethodWriter } from '../../../../src/adaptors/amqp/wire/method-writer.ts'

const name = fc.string({ maxLength: 50 })
const value = fc.oneof(fc.string(), fc.boolean(), fc.nat())

test('a field table is read as it was written', () => {
  fc.assert(
    fc.property(
      fc.dictionary(name, value),
      fc.string({ maxLength: 60 }),
      fc.string(),
      (table, short, long) => {
        const frame = new MethodWriter(3, 0x0a0b).shortText(short).table(table).longText(long).frame()
        const cursor = new Cursor(frame, 7, frame.length - 1)
        assert.equal(cursor.u32(), 0x0a0b)
        assert.equal(cursor.shortText(), short)
        assert.deepEqual({ ...cursor.table() }, { ...table })
        assert.equal(cursor.longText(), long)
        assert.throws(() => cursor.u8(), /beyond its frame/)
      },
    ),
  )
})

test('a name such as "__proto__" is a name', () => {
  const frame = new MethodWriter(0, 1).table(JSON.parse('{"__proto__":"x"}')).frame()
  const table = new Cursor(frame, 11, frame.length - 1).table()
  assert.deepEqual(Object.entries(table), [['__proto__', 'x']])
  assert.equal(Object.getPrototypeOf(table), Object.prototype)
})

test('bytes that are no table and no header throw, and nothing else happens', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      const buffer = Buffer.from(bytes)
      for (const read of [
        () => new Cursor(buffer).table(),
        () => readContentHeader(new Cursor(Buffer.concat([Buffer.of(0, 60), buffer])), 'text/plain'),
      ]) {
        try {
          read()
        } catch (error) {
          assert.ok(error instanceof RangeError)
        }
      }
    }),
  )
})
