import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import {
  checkTopicFilter,
  checkTopicName,
  hasWildcard,
  matchesFilter,
  splitSharedFilter,
} from '../../../src/adaptors/shared/topic-filter.ts'

const MATCHES: readonly (readonly [filter: string, topic: string, matches: boolean])[] = [
  ['a/b', 'a/b', true],
  ['a/b', 'a/c', false],
  ['a/b', 'a', false],
  ['a', 'a/b', false],
  ['a/+', 'a/b', true],
  ['a/+', 'a/', true],
  ['a/+', 'a', false],
  ['a/+', 'a/b/c', false],
  ['+/b', 'a/b', true],
  ['+/+', '/finance', true],
  ['/+', '/finance', true],
  ['+', '/finance', false],
  ['a/+/c', 'a/b/c', true],
  ['a/+/c', 'a/b/d', false],
  ['#', 'a', true],
  ['#', '/a/b', true],
  ['a/#', 'a', true],
  ['a/#', 'a/b/c', true],
  ['a/#', 'ab', false],
  ['a/+/#', 'a', false],
  ['a/+/#', 'a/b', true],
  ['a/+/#', 'a/b/c/d', true],
  ['ab/#', 'a', false],
  ['#', '$SYS/broker', false],
  ['+/broker', '$SYS/broker', false],
  ['$SYS/#', '$SYS/broker', true],
  ['$SYS/+', '$SYS/broker', true],
  ['a/b/', 'a/b', false],
  ['A/b', 'a/b', false],
]

test('matchesFilter() follows the rules of MQTT for wildcards', () => {
  for (const [filter, topic, expected] of MATCHES) {
    assert.equal(matchesFilter(filter, topic), expected, `${filter} against ${topic}`)
  }
})

test('matchesFilter() agrees with a level-by-level model for any filter and topic', () => {
  const level = fc.constantFrom('', 'a', 'b', 'ab', '$a')
  const topics = fc.array(level, { minLength: 1, maxLength: 5 }).map((levels) => levels.join('/'))
  const filters = fc
    .tuple(fc.array(fc.oneof(level, fc.constant('+')), { minLength: 1, maxLength: 5 }), fc.boolean())
    .map(([levels, rest]) => [...levels, ...(rest ? ['#'] : [])].join('/'))
  fc.assert(
    fc.property(filters, topics, (filter, topic) => {
      assert.equal(matchesFilter(filter, topic), model(filter.split('/'), topic.split('/')))
    }),
    { numRuns: 2000 },
  )
})

function model(filter: readonly string[], topic: readonly string[]): boolean {
  if (topic[0]?.startsWith('$') === true && (filter[0] === '+' || filter[0] === '#')) return false
  const open = filter.at(-1) === '#'
  const fixed = open ? filter.slice(0, -1) : filter
  if (open ? topic.length < fixed.length : topic.length !== fixed.length) return false
  return fixed.every((level, index) => level === '+' || level === topic[index])
}

test('checkTopicName() takes any name without wildcards', () => {
  for (const topic of ['a', '/', 'a//b', ' ', 'straße/日本', '$SYS/x', 'x'.repeat(65_535)]) {
    assert.doesNotThrow(() => checkTopicName(topic))
  }
})

test('checkTopicName() refuses what no broker takes', () => {
  for (const topic of ['', 'a/+', 'a/#', 'a\0b', 'x'.repeat(65_536), 'ß'.repeat(40_000), '\ud800']) {
    assert.throws(() => checkTopicName(topic), { code: 'INVALID_TOPIC', message: /^Cannot publish to / })
  }
})

test('checkTopicFilter() takes wildcards as whole levels, and shared subscriptions', () => {
  for (const filter of ['a', '+', '#', 'a/+/b', '+/+', 'a/#', '/', '$share/g/a/+', '$share/g/#', '$shared']) {
    assert.doesNotThrow(() => checkTopicFilter(filter), filter)
  }
})

test('checkTopicFilter() refuses misplaced wildcards and half shared subscriptions', () => {
  for (const filter of [
    '',
    'a#',
    'a/#/b',
    '##',
    'a+',
    '+a/b',
    'a\0',
    '$share',
    '$share/',
    '$share/g',
    '$share/g/',
    '$share//a',
    '$share/+/a',
    '$share/g/a#',
  ]) {
    assert.throws(() => checkTopicFilter(filter), { code: 'INVALID_TOPIC' }, filter)
  }
})

test('splitSharedFilter() gives the group and the filter under it', () => {
  assert.deepEqual(splitSharedFilter('$share/g/a/+'), { group: 'g', filter: 'a/+' })
  assert.deepEqual(splitSharedFilter('a/+'), { group: undefined, filter: 'a/+' })
})

test('hasWildcard() tells a pattern from a name', () => {
  assert.equal(hasWildcard('a/+'), true)
  assert.equal(hasWildcard('#'), true)
  assert.equal(hasWildcard('a/b'), false)
})
