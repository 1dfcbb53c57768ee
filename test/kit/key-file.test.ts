import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import { booleanOf, integerOf, listOf, numbersOf, parseKeyFile, textOf } from '../../src/kit/key-file.ts'

function value(raw: string) {
  return { raw, escaped: true }
}

function read(text: string): Record<string, Record<string, string>> {
  const { groups, faults } = parseKeyFile(text)
  assert.deepEqual(faults, [])
  return Object.fromEntries(
    [...groups].map(([name, { entries }]) => [
      name,
      Object.fromEntries([...entries].map(([key, { raw }]) => [key, raw])),
    ]),
  )
}

test('parseKeyFile() reads groups, keys and comments', () => {
  assert.deepEqual(read('# c\n  # d\n\n [a] \t\r\nk = v \r\n  l=\n[b]\nx y=1=2#3\n'), {
    a: { k: 'v ', l: '' },
    b: { 'x y': '1=2#3' },
  })
})

test('parseKeyFile() merges groups of one name, and the last of two values counts', () => {
  const text = '[a]\nk=1\n[b]\n[a]\nl=2\nk=3\n'
  assert.deepEqual(read(text), { a: { k: '3', l: '2' }, b: {} })
  assert.deepEqual(
    parseKeyFile(text).overruled.map(({ key, raw, line }) => [key, raw, line]),
    [['k', '1', 2]],
  )
})

test('parseKeyFile() tells where a value stands', () => {
  const entry = parseKeyFile('[a]\n  key =  value').groups.get('a')?.entries.get('key')
  assert.deepEqual([entry?.line, entry?.column, entry?.valueColumn], [2, 3, 10])
})

const FAULTS = [
  'key=1\n[a]',
  '[a]\n; comment',
  '[a]\nword',
  '[a',
  '[]',
  '[a]b',
  '[a]\n=1',
  '[a]\nk[=1',
  '[a[b]\n',
]
for (const text of FAULTS) {
  test(`parseKeyFile() finds the fault in ${JSON.stringify(text)}`, () => {
    assert.equal(parseKeyFile(text).faults.length, 1)
  })
}

test('textOf() undoes escapes and refuses others', () => {
  assert.deepEqual(textOf(value(String.raw`a\sb\n\t\r\\ "q" # x`)), { value: 'a b\n\t\r\\ "q" # x' })
  for (const raw of [String.raw`C:\temp\x`, 'a\\', String.raw`a\;b`])
    assert.ok('fault' in textOf(value(raw)), raw)
  assert.deepEqual(textOf({ raw: String.raw`C:\x`, escaped: false }), { value: String.raw`C:\x` })
})

test('listOf() splits at semicolons and keeps blanks', () => {
  const rows: readonly (readonly [string, string[]])[] = [
    ['t1; t2', ['t1', ' t2']],
    ['a;', ['a']],
    ['a;;b', ['a', '', 'b']],
    [';', ['']],
    ['', []],
    [String.raw`a\;b;c\\`, ['a;b', 'c\\']],
  ]
  for (const [raw, items] of rows) assert.deepEqual(listOf(value(raw)), { value: items }, raw)
})

test('integerOf() reads digits that a blank may follow', () => {
  const good: readonly (readonly [string, number])[] = [
    ['20 # x', 20],
    ['-5', -5],
    ['+7', 7],
    ['007', 7],
  ]
  for (const [raw, number] of good) assert.deepEqual(integerOf(value(raw)), { value: number }, raw)
  for (const raw of ['12abc', '0x10', '', 'x', '1.5', '9999999999'])
    assert.ok('fault' in integerOf(value(raw)), raw)
})

test('booleanOf() knows four words', () => {
  for (const raw of ['true', '1', '1  ']) assert.deepEqual(booleanOf(value(raw)), { value: true }, raw)
  for (const raw of ['false', '0\t']) assert.deepEqual(booleanOf(value(raw)), { value: false }, raw)
  for (const raw of ['yes', 'on', 'True', '', '1 # x', '10']) assert.ok('fault' in booleanOf(value(raw)), raw)
})

test('numbersOf() reads a list of numbers', () => {
  assert.deepEqual(numbersOf(value('45.3; -4e1;.5;')), { value: [45.3, -40, 0.5] })
  for (const raw of ['a;b', '1 ;2', '1;;2']) assert.ok('fault' in numbersOf(value(raw)), raw)
})

const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9 _.:-]{0,10}[A-Za-z0-9]$/)

test('parseKeyFile() reads back whatever was written', () => {
  const texts = fc.string({ unit: 'grapheme', maxLength: 20 }).filter((text) => !/[\u0085\u2028]/.test(text))
  fc.assert(
    fc.property(fc.dictionary(name, fc.dictionary(name, fc.array(texts))), (groups) => {
      const text = Object.entries(groups)
        .map(
          ([group, keys]) =>
            `[${group}]\n${Object.entries(keys)
              .map(([key, items]) => `${key}=${items.map(escape).join('')}\n`)
              .join('')}`,
        )
        .join('')
      for (const [group, keys] of Object.entries(groups)) {
        const { entries } = parseKeyFile(text).groups.get(group) ?? { entries: new Map<string, never>() }
        for (const [key, items] of Object.entries(keys)) {
          const entry = entries.get(key)
          assert.ok(entry !== undefined)
          assert.deepEqual(listOf(entry), { value: items })
        }
      }
    }),
  )
})

function escape(text: string): string {
  const escaped = text
    .replaceAll('\\', '\\\\')
    .replaceAll('\n', String.raw`\n`)
    .replaceAll('\r', String.raw`\r`)
    .replaceAll('\t', String.raw`\t`)
    .replaceAll(';', String.raw`\;`)
    .replaceAll(/^[\v\f ]/g, (blank) => (blank === ' ' ? String.raw`\s` : `\\s${blank}`))
  return `${escaped};`
}

test('parseKeyFile() never throws, whatever the text is', () => {
  const parts = fc.array(fc.constantFrom('[', ']', '=', '\n', '\r', ';', '#', '\\', ' ', 'a', 'é', '\0'))
  fc.assert(fc.property(parts, (list) => void parseKeyFile(list.join(''))))
})
