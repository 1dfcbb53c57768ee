import assert from 'node:assert/strict'
import { test } from 'node:test'

import { DeDuplicator } from '../../src/kit/de-duplicator.ts'

test('DeDuplicator.isNew() is true once for each id, and always without one', () => {
  const seen = new DeDuplicator()
  assert.deepEqual(
    ['a', 'b', 'a', undefined, undefined, 'b'].map((id) => seen.isNew(id)),
    [true, true, false, true, true, false],
  )
  seen.forget('a')
  assert.equal(seen.isNew('a'), true)
})

test('DeDuplicator remembers at least so many ids, and not many more', () => {
  const seen = new DeDuplicator({ maxIds: 100 })
  for (let n = 0; n < 1000; n += 1) assert.equal(seen.isNew(`${n}`), true)
  for (let n = 900; n < 1000; n += 1) assert.equal(seen.has(`${n}`), true)
  for (let n = 0; n < 800; n += 1) assert.equal(seen.has(`${n}`), false)
})
