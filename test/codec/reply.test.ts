import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import type { Reply, ReplyHead } from '../../src/codec/index.ts'
import { decodeReply, encodeReply } from '../../src/codec/index.ts'
import { BackhaulError } from '../../src/contract/index.ts'

const HEAD: ReplyHead = { id: 'a1', command: 'ping', device: 'edge-7', time: '2026-01-02T03:04:05.678Z' }

test('encodeReply() writes a result', () => {
  assert.equal(
    encodeReply({ ...HEAD, status: 'ok', result: { text: 'hi' } }),
    '{"id":"a1","command":"ping","device":"edge-7","status":"ok","result":{"text":"hi"},"time":"2026-01-02T03:04:05.678Z"}',
  )
})

test('encodeReply() writes an error without an id where none could be read', () => {
  const error = {
    code: 'COMMAND_INVALID',
    message: 'Cannot use the command: it is not JSON, send one JSON object',
  }
  assert.equal(
    encodeReply({ ...HEAD, id: undefined, command: undefined, status: 'error', error }),
    '{"device":"edge-7","status":"error","error":{"code":"COMMAND_INVALID",' +
      '"message":"Cannot use the command: it is not JSON, send one JSON object"},"time":"2026-01-02T03:04:05.678Z"}',
  )
})

test('encodeReply() writes null for a result that there is none of', () => {
  assert.deepEqual(JSON.parse(encodeReply({ ...HEAD, status: 'ok', result: undefined })), {
    ...HEAD,
    status: 'ok',
    result: null,
  })
})

test('encodeReply() answers with an error when JSON cannot hold the result', () => {
  const circle: Record<string, unknown> = {}
  circle['self'] = circle
  for (const result of [circle, { n: 1n }]) {
    const reply = decodeReply(Buffer.from(encodeReply({ ...HEAD, status: 'ok', result })))
    assert.equal(reply.status === 'error' && reply.error.code, 'INTERNAL')
  }
})

test('decodeReply() reads back whatever encodeReply() wrote', () => {
  const replies: fc.Arbitrary<Reply> = fc.oneof(
    fc.jsonValue().map((result) => ({ ...HEAD, status: 'ok' as const, result })),
    fc
      .record({ code: fc.string(), message: fc.string() })
      .map((error) => ({ ...HEAD, status: 'error' as const, error })),
  )
  fc.assert(
    fc.property(replies, (reply) => {
      assert.deepEqual(decodeReply(Buffer.from(encodeReply(reply))), JSON.parse(JSON.stringify(reply)))
    }),
  )
})

test('decodeReply() throws nothing but its own error, whatever the bytes are', () => {
  const bytes = fc.oneof(
    fc.uint8Array(),
    fc.json().map((text) => Buffer.from(text)),
  )
  fc.assert(
    fc.property(bytes, (bytes) => {
      assert.throws(
        () => decodeReply(bytes),
        (error) => error instanceof BackhaulError && error.code === 'INVALID_MESSAGE',
      )
    }),
  )
})
