import assert from 'node:assert/strict'
import { test } from 'node:test'

import { BackhaulError } from '../../src/contract/index.ts'
import { DeadLetters } from '../../src/outbox/dead-letters.ts'
import { message } from './scripted-link.ts'

test('DeadLetters keeps the latest within its bounds, and counts them all', () => {
  const letters = new DeadLetters(3, 100)
  const refused = new BackhaulError('REFUSED', 'Cannot publish: the broker refused, see its reason')
  const large = new BackhaulError('MESSAGE_TOO_LARGE', 'Cannot publish: it is too large, send less')
  for (const id of ['a', 'b', 'c', 'd']) letters.add({ message: message(id), error: refused, atMs: 1 })
  const ids = () => letters.latest.map(({ message }) => message.id).join('')
  assert.equal(ids(), 'bcd')
  letters.add({ message: message('e', 90), error: large, atMs: 2 })
  assert.equal(ids(), 'de')
  letters.add({ message: message('f', 101), error: large, atMs: 3 })
  assert.equal(ids(), '')
  assert.deepEqual(
    [...letters.counts],
    [
      ['REFUSED', 4],
      ['MESSAGE_TOO_LARGE', 2],
    ],
  )
})
