import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import type { DecodedCommand } from '../../src/codec/index.ts'
import { decodeCommand, encodeCommand, MAX_COMMAND_BYTES } from '../../src/codec/index.ts'

function decode(text: string): DecodedCommand {
  return decodeCommand(Buffer.from(text))
}

function refused(decoded: DecodedCommand): DecodedCommand & { ok: false } {
  assert.ok(!decoded.ok)
  return decoded
}

test('decodeCommand() reads a command with everything in it', () => {
  assert.deepEqual(decode('{"id":"a1","command":"ping","args":{"text":"hi"},"replyTo":"cloud/replies"}'), {
    ok: true,
    command: { id: 'a1', command: 'ping', args: { text: 'hi' }, replyTo: 'cloud/replies' },
  })
})

test('decodeCommand() reads the shortest command', () => {
  assert.deepEqual(decode('{"id":"a1","command":"ping"}'), {
    ok: true,
    command: { id: 'a1', command: 'ping', args: {}, replyTo: undefined },
  })
})

test('decodeCommand() reads back whatever encodeCommand() wrote', () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/)
  const args = fc
    .dictionary(fc.string(), fc.jsonValue({ maxDepth: 4 }), { noNullPrototype: true })
    .filter((args) => !JSON.stringify(args).includes('__proto__'))
  fc.assert(
    fc.property(fc.uuid(), name, args, (id, command, args) => {
      const decoded = decode(encodeCommand({ id, command, args }))
      assert.ok(decoded.ok)
      assert.deepEqual(decoded.command, {
        id,
        command,
        args: JSON.parse(JSON.stringify(args)),
        replyTo: undefined,
      })
    }),
  )
})

const HEAD = '"id":"a1","command":"ping","replyTo":"r"'

const HOSTILE: readonly (readonly [
  what: string,
  bytes: string | Uint8Array,
  phrase: RegExp,
  id: string | undefined,
])[] = [
  ['nothing', '', /it is not JSON, send one JSON object/, undefined],
  ['half a command', `{${HEAD}`, /it is not JSON/, undefined],
  ['bytes that are not UTF-8', Buffer.from([0x22, 0xc3, 0x28, 0x22]), /it is not UTF-8/, undefined],
  [
    'more than 64 KiB',
    `{${HEAD},"args":{"x":"${'x'.repeat(MAX_COMMAND_BYTES)}"}}`,
    /send at most 65536/,
    undefined,
  ],
  ['a list', '[]', /must be an object/, undefined],
  ['null', 'null', /must be an object/, undefined],
  ['a name given twice', `{${HEAD},"args":{"a":1,"\\u0061":2}}`, /it gives a name twice/, 'a1'],
  ['two commands in one', `{${HEAD},"command":"update"}`, /it gives a name twice/, 'a1'],
  ['a prototype', `{${HEAD},"args":{"__proto__":{"admin":true}}}`, /it uses the name "__proto__"/, 'a1'],
  ['33 levels', `{${HEAD},"args":{"x":${'['.repeat(31)}${']'.repeat(31)}}}`, /nested deeper than 32/, 'a1'],
  [
    'thirty thousand levels',
    `{${HEAD},"args":{"x":${'['.repeat(30_000)}${']'.repeat(30_000)}}}`,
    /nested deeper than 32/,
    'a1',
  ],
  ['an unknown field', `{${HEAD},"arg":{}}`, /"arg" is unknown, did you mean "args"\?/, 'a1'],
  ['no id', '{"command":"ping"}', /"id" is missing/, undefined],
  ['a number as its id', '{"id":1,"command":"ping"}', /"id" must be a string/, undefined],
  [
    'a control character in its id',
    '{"id":"a\\u0000","command":"ping"}',
    /"id" must have no control/,
    undefined,
  ],
  ['no command', '{"id":"a1"}', /"command" is missing/, 'a1'],
  [
    'a command with a path in it',
    '{"id":"a1","command":"../ping"}',
    /"command" must be a name in lower case/,
    'a1',
  ],
  ['arguments that are a list', `{${HEAD},"args":[]}`, /"args" must be an object/, 'a1'],
]

for (const [what, bytes, phrase, id] of HOSTILE) {
  test(`decodeCommand() refuses ${what} and gives the id that could be read`, () => {
    const decoded = refused(decodeCommand(Buffer.from(bytes)))
    assert.equal(decoded.error.code, 'COMMAND_INVALID')
    assert.match(decoded.error.message, /^Cannot use the command: /)
    assert.match(decoded.error.message, phrase)
    assert.equal(decoded.id, id)
  })
}

test('decodeCommand() takes 32 levels', () => {
  assert.ok(decode(`{${HEAD},"args":{"x":${'['.repeat(30)}${']'.repeat(30)}}}`).ok)
})

test('decodeCommand() gives name and reply topic of a refused command, where they are in order', () => {
  const decoded = refused(decode(`{${HEAD},"extra":1}`))
  assert.equal(decoded.command, 'ping')
  assert.equal(decoded.replyTo, 'r')
  const broken = refused(decode('{"id":"a1","command":7,"replyTo":{}}'))
  assert.equal(broken.command, undefined)
  assert.equal(broken.replyTo, undefined)
})

test('decodeCommand() never throws and never touches a prototype, whatever the bytes are', () => {
  const mutated = fc
    .tuple(fc.constant(`{${HEAD},"args":{"__proto__":{"x":1}}}`), fc.nat(60), fc.nat(255))
    .map(([text, at, byte]) => {
      const bytes = Buffer.from(text)
      bytes[at] = byte
      return bytes
    })
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.json().map((text) => Buffer.from(text)),
    mutated,
  )
  fc.assert(
    fc.property(bytes, (bytes) => {
      const decoded = decodeCommand(bytes)
      assert.ok(decoded.ok || decoded.error.code === 'COMMAND_INVALID')
      assert.ok(!('x' in {}))
    }),
    { numRuns: 2000 },
  )
})
