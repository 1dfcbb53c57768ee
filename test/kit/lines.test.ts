import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { LineSplitter } from '../../src/kit/lines.ts'

function split(chunks: readonly Uint8Array[], maxBytes = 1000): { lines: string[]; tooLong: number } {
  let tooLong = 0
  const splitter = new LineSplitter({
    maxBytes,
    tooLong: () => {
      tooLong += 1
    },
  })
  const lines = [...chunks.flatMap((chunk) => splitter.push(chunk)), ...splitter.end()]
  return { lines: lines.map((line) => Buffer.from(line).toString('latin1')), tooLong }
}

test('LineSplitter gives the same lines however the bytes are cut into chunks', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'é', '\n', '\r\n', '{"x":1}') })
  fc.assert(
    fc.property(text, fc.array(fc.nat(40)), (content, cuts) => {
      const bytes = Buffer.from(content, 'latin1')
      const edges = [
        0,
        ...cuts.map((cut) => Math.min(cut, bytes.length)).toSorted((a, b) => a - b),
        bytes.length,
      ]
      const chunks = edges.slice(1).map((edge, index) => bytes.subarray(edges[index], edge))
      const expected = content.split(/\r?\n/)
      if (expected.at(-1) === '') expected.pop()
      assert.deepEqual(split(chunks).lines, expected)
    }),
  )
})

test('LineSplitter skips and counts a line longer than the limit, and goes on with the next', () => {
  const found = split(
    [Buffer.from('12345\n123456\n'), Buffer.from('1234'), Buffer.from('5678'), Buffer.from('9\nok\r\n')],
    5,
  )
  assert.deepEqual(found, { lines: ['12345', 'ok'], tooLong: 2 })
})

test('LineSplitter counts a last line that is too long and has no end', () => {
  assert.deepEqual(split([Buffer.from('a\n1234567')], 5), { lines: ['a'], tooLong: 1 })
})

test('LineSplitter takes a line of exactly the limit with CR LF', () => {
  assert.deepEqual(split([Buffer.from('12345\r'), Buffer.from('\n')], 5), { lines: ['12345'], tooLong: 0 })
})

test('LineSplitter keeps empty lines and bytes that are no text', () => {
  assert.deepEqual(split([Buffer.from([0xff, 0x0a, 0x0a, 0x00, 0x0a])]).lines, ['\u00ff', '', '\u0000'])
})
