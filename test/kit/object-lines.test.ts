import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { ObjectSplitter } from '../../src/kit/object-lines.ts'

function split(text: string, chunkSize = 7, maxBytes = 1_000_000): { found: string[]; tooLong: number } {
  let tooLong = 0
  const splitter = new ObjectSplitter({
    maxBytes,
    tooLong: () => {
      tooLong += 1
    },
  })
  const bytes = Buffer.from(text)
  const found: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += chunkSize)
    found.push(...splitter.push(bytes.subarray(at, at + chunkSize)))
  found.push(...splitter.end())
  return { found: found.map((line) => Buffer.from(line).toString()), tooLong }
}

test('ObjectSplitter gives each object whole, on one line or spread over many, however the bytes are cut', () => {
  const value = fc.dictionary(fc.string(), fc.oneof(fc.jsonValue(), fc.constantFrom('{', '}}', '"\\', '{"')))
  const layout = fc.constantFrom(undefined, 1, 2, '\t')
  fc.assert(
    fc.property(
      fc.array(fc.tuple(value, layout), { maxLength: 5 }),
      fc.integer({ min: 1, max: 60 }),
      (objects, size) => {
        const text = objects.map(([object, indent]) => `${JSON.stringify(object, null, indent)}\n`).join('')
        assert.deepEqual(
          split(text, size).found.map((line) => JSON.parse(line)),
          objects.map(([object]) => JSON.parse(JSON.stringify(object))),
        )
      },
    ),
  )
})

test('ObjectSplitter leaves what is no object as a line', () => {
  assert.deepEqual(split('[1,\n2]\n\nnull\n}\n{}\n').found, ['[1,', '2]', '', 'null', '}', '{}'])
})

test('ObjectSplitter goes on with the next object after a broken one', () => {
  const broken = '{\n  "a": {\n    "b": "x\n'
  assert.deepEqual(split(`${broken}{\n  "c": 1\n}\n{"d":2}\n`).found, [
    broken.slice(0, -1),
    '{\n  "c": 1\n}',
    '{"d":2}',
  ])
})

test('ObjectSplitter counts an object that is longer than the limit once, and passes its rest over', () => {
  const long = `{\n${'  "a": 1,\n'.repeat(20)}  "b": 2\n}\n`
  assert.deepEqual(split(`${long}{"c":3}\n${long}`, 7, 50), { found: ['{"c":3}'], tooLong: 2 })
  assert.equal(split(long, 7, long.length - 1).found.length, 1)
})

test('ObjectSplitter gives an object that is not closed at the end, for whoever reads it to object to', () => {
  assert.deepEqual(split('{\n "a": 1').found, ['{\n "a": 1'])
})
