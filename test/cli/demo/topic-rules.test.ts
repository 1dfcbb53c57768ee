import assert from 'node:assert/strict'
import test from 'node:test'

import { covers, permits } from '../../../src/cli/demo/topic-rules.ts'

test('covers() is true only when the rule matches everything that the filter can match', () => {
  const table: readonly [rule: string, filter: string, expected: boolean][] = [
    ['a/b', 'a/b', true],
    ['a/b', 'a/c', false],
    ['a/b', 'a/b/c', false],
    ['a/b/c', 'a/b', false],
    ['a/+', 'a/b', true],
    ['a/+', 'a/+', true],
    ['a/+', 'a/#', false],
    ['a/+', 'a', false],
    ['a/+/c', 'a/b/c', true],
    ['a/b', 'a/+', false],
    ['a/#', 'a', true],
    ['a/#', 'a/b/c', true],
    ['a/#', 'a/+/#', true],
    ['a/#', '#', false],
    ['a/#', '+/b', false],
    ['a/+/#', 'a/#', false],
    ['#', '#', true],
    ['#', 'a/b', true],
    ['#', '$SYS/x', false],
    ['+/x', '$SYS/x', false],
    ['$SYS/#', '$SYS/x', true],
    ['a/+', 'a/', true],
  ]
  for (const [rule, filter, expected] of table) {
    assert.equal(covers(rule, filter), expected, `rule ${rule}, filter ${filter}`)
  }
})

test('permits() forbids what no rule names, and without rules only publishing to $ topics', () => {
  const rules = [{ identity: 'one', publish: ['out/one'], subscribe: ['in/one/#'] }]
  assert.equal(permits(rules, 'one', 'publish', 'out/one'), true)
  assert.equal(permits(rules, 'two', 'publish', 'out/one'), false)
  assert.equal(permits(rules, 'one', 'subscribe', 'out/one'), false)
  assert.equal(permits(rules, 'one', 'subscribe', 'in/one/+'), true)
  assert.equal(permits([], 'one', 'publish', 'out/one'), false)
  assert.equal(permits(undefined, 'one', 'publish', 'anything'), true)
  assert.equal(permits(undefined, 'one', 'publish', '$SYS/x'), false)
})
