import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { createJsonPath } from '../../src/kit/json-path.ts'

/** What the path means, by JSON.parse(). */
function parsed(path: string, text: string): string | undefined {
  let value: unknown = JSON.parse(text)
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    if (!Object.hasOwn(value, name)) return undefined
    value = Reflect.get(value, name)
  }
  return typeof value === 'string' ? value : undefined
}

const name = fc.oneof(
  fc.constantFrom('sensor', 'id', 'a', 'b', '', '__proto__', 'ü', 'a"b', 'x\\', '\u0000'),
  fc.string({ maxLength: 4 }).filter((text) => !text.includes('.')),
)
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom('\\', '"', 'a'), maxLength: 80 }),
      fc.double({ noNaN: true }),
      fc.boolean(),
    ),
    fc.constantFrom(null, '', '"', '\\"', '}', '{', ']', ':', 'a,b', '\u2028', '😀'),
    fc.array(tie('tree'), { maxLength: 3 }),
    fc.array(fc.tuple(name, tie('tree')), { maxLength: 4 }).map((pairs) => new Pairs(pairs)),
  ),
}))

/** An object whose names may come twice. */
class Pairs {
  readonly pairs: readonly (readonly [string, unknown])[]
  constructor(pairs: readonly (readonly [string, unknown])[]) {
    this.pairs = pairs
  }
}

/** Writes JSON with blanks, and with names that are escaped in full where `escape` is true. */
function write(value: unknown, blank: string, escape: boolean): string {
  if (value instanceof Pairs) {
    const members = value.pairs.map(
      ([key, item]) => `${quoted(key, escape)}${blank}:${blank}${write(item, blank, escape)}`,
    )
    return `{${blank}${members.join(`${blank},${blank}`)}${blank}}`
  }
  if (Array.isArray(value)) {
    return `[${blank}${value.map((item) => write(item, blank, escape)).join(`${blank},${blank}`)}${blank}]`
  }
  return typeof value === 'string' ? quoted(value, escape) : JSON.stringify(value)
}

function quoted(text: string, escape: boolean): string {
  if (!escape) return JSON.stringify(text)
  const units = Array.from({ length: text.length }, (_, at) =>
    text.charCodeAt(at).toString(16).padStart(4, '0'),
  )
  return `"${units.map((unit) => `\\u${unit}`).join('')}"`
}

test('createJsonPath() finds what JSON.parse() finds, in every document', () => {
  const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('.'))
  const layout = fc.record({ blank: fc.constantFrom('', ' ', '\n\t'), escape: fc.boolean() })
  fc.assert(
    fc.property(tree, path, layout, (value, wanted, { blank, escape }) => {
      const text = `${blank}${write(value, blank, escape)}${blank}`
      // as bytes a lone surrogate is another character
      const bytes = Buffer.from(text)
      assert.equal(createJsonPath(wanted)(bytes), parsed(wanted, bytes.toString()))
    }),
    { numRuns: 3000 },
  )
})

test('createJsonPath() finds every text of a document by its own path', () => {
  const json = Buffer.from('{"a":{"b":{"c":"deep"},"d":[{"c":"no"}],"e":1},"f":"\\u00fc","a.b":"no","g":""}')
  const expected = { 'a.b.c': 'deep', f: 'ü', g: '', 'a.d': undefined, 'a.e': undefined, 'a.b': undefined }
  for (const [path, text] of Object.entries(expected)) assert.equal(createJsonPath(path)(json), text, path)
})

test('createJsonPath() takes any bytes without an error, and ends', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc
      .string({ unit: fc.constantFrom('{', '}', '[', ']', '"', ':', ',', '\\', ' ', 'a', '1') })
      .map((text) => Buffer.from(text)),
  )
  const find = createJsonPath('a.a')
  fc.assert(
    fc.property(bytes, (json) => {
      const found = find(json)
      assert.ok(found === undefined || typeof found === 'string')
    }),
    { numRuns: 3000 },
  )
})

test('createJsonPath() is not exhausted by depth', () => {
  const deep = 200_000
  const json = Buffer.from(`{"x":${'['.repeat(deep)}${']'.repeat(deep)},"sensor":{"id":"CAM"}}`)
  assert.equal(createJsonPath('sensor.id')(json), 'CAM')
})
