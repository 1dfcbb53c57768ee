import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { GOOD, lint, problemsOf } from './lint.ts'

const REFUSED: readonly (readonly [what: string, text: string | Uint8Array, problem: string])[] = [
  ['an empty file', '', '1:1 the file is empty, begin it with version: 1'],
  ['a file of comments', '# nothing\n\n', '1:1 the file is empty, begin it with version: 1'],
  ['a list', '- a\n', '1:1 the file must be an object'],
  ['a second document', `${GOOD}---\na: 1\n`, '17:1 a second document begins, keep one in the file'],
  ['a tab', GOOD.replace('  cloud:', '\tcloud:'), '4:1 a tab indents the line, use spaces'],
  [
    'bytes of Latin-1',
    Buffer.from(GOOD.replace('gate', 'g\u00E4te'), 'latin1'),
    '2:1 the line is not UTF-8, save the file as UTF-8',
  ],
  ['UTF-16', Buffer.from(`\uFEFF${GOOD}`, 'utf16le'), '1:1 the line is not UTF-8, save the file as UTF-8'],
  ['a file that is too large', '#'.repeat(262_145), '1:1 the file has 262145 bytes, keep it within 262144'],
  [
    'twenty thousand brackets',
    `a: ${'['.repeat(20_000)}`,
    '1:1 the line is nested too deep, there is no such configuration',
  ],
  [
    'twenty thousand dashes',
    '- '.repeat(20_000),
    '1:1 the line is nested too deep, there is no such configuration',
  ],
  [
    'a staircase',
    Array.from({ length: 300 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n'),
    '130:1 the line is nested too deep, there is no such configuration',
  ],
  ['YAML 1.1', `%YAML 1.1\n---\n${GOOD}`, '1:1 only YAML 1.2 is read, leave the %YAML line out'],
  [
    'an unclosed quote',
    GOOD.replace('gate-7', '"gate-7'),
    '17:1 a quote, bracket, comma or colon is missing, look at this line and the one before',
  ],
]

for (const [what, text, problem] of REFUSED) {
  test(`lintConfig() refuses ${what}`, async () => {
    const result = await lint(text)
    assert.equal(result.config, undefined)
    assert.deepEqual(await problemsOf(text), [problem])
  })
}

test('lintConfig() refuses anchors, aliases, merges and tags, so that no small file can grow', async () => {
  const bomb = ['a: &a [x, x]', 'b: &b [*a, *a]', 'c: [*b, *b]', 'd: !!binary aGk=', '<<: *a'].join('\n')
  const problems = await problemsOf(`${GOOD}${bomb}\n`)
  assert.deepEqual(
    problems.filter((problem) => problem.includes('not allowed')),
    [
      '17:7 an anchor is not allowed here, write each value out',
      '18:7 an anchor is not allowed here, write each value out',
      '18:8 an alias is not allowed here, write the value out',
      '18:12 an alias is not allowed here, write the value out',
      '19:5 an alias is not allowed here, write the value out',
      '19:9 an alias is not allowed here, write the value out',
      '20:13 a tag is not allowed here, leave it out',
      '21:5 an alias is not allowed here, write the value out',
    ],
  )
})

test('lintConfig() tells both lines of a name that is given twice', async () => {
  const text = GOOD.replace('routes:', '  camera: { type: tcp, port: 7000 }\nroutes:')
  assert.deepEqual(await problemsOf(text), ['8:3 "inputs.camera" is given twice, first in line 7, keep one'])
})

test('lintConfig() refuses a name that would reach for a prototype', async () => {
  assert.deepEqual(await problemsOf(`${GOOD}__proto__: { x: 1 }\n`), [
    '17:1 "__proto__" cannot be a name, choose another',
  ])
})

test('lintConfig() says that a text which begins with a bracket needs quotes', async () => {
  assert.deepEqual(await problemsOf(GOOD.replace("'cameras/{sensorId}/detections'", '{sensorId}')), [
    '11:12 "routes.0.topic" must be a string, put quotes around a text that begins with a bracket',
  ])
})

test('lintConfig() quotes nothing of the file where the YAML is broken', async () => {
  for (const text of [
    'password: "x" hunter2\n',
    'password: *hunter2\n',
    'password: @hunter2\n',
    'password: a: hunter2\n',
  ]) {
    for (const problem of await problemsOf(text)) assert.doesNotMatch(problem, /hunter2/)
  }
})

test('lintConfig() never throws and places every problem in the file, whatever the text is', async () => {
  const pieces = fc.constantFrom(
    'a',
    ':',
    ' ',
    '\n',
    '\t',
    '- ',
    '{',
    '}',
    '[',
    ']',
    '"',
    "'",
    '#',
    '&x',
    '*x',
    '!',
    '|',
    '>',
    '%',
    '${',
    '}',
    '?',
  )
  const broken = fc
    .tuple(fc.nat(GOOD.length), pieces)
    .map(([at, piece]) => GOOD.slice(0, at) + piece + GOOD.slice(at))
  const soup = fc.array(pieces, { maxLength: 40 }).map((parts) => parts.join(''))
  await fc.assert(
    fc.asyncProperty(fc.oneof(broken, soup, fc.string()), async (text) => {
      const { config, problems } = await lint(text)
      assert.ok(config !== undefined || problems.length > 0)
      const lines = text.split('\n').length
      for (const { line, column } of problems) assert.ok(line >= 1 && line <= lines && column >= 1)
    }),
    { numRuns: 1000 },
  )
})
