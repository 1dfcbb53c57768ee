import assert from 'node:assert/strict'
import { test } from 'node:test'

import { entryOf, openStore } from '../outbox/log/set-up.ts'

// close() put all entries that somebody follows into the arguments of one call, and overflowed the stack.
test('LogStore closes with any number of messages that somebody follows', async () => {
  const { store } = await openStore()
  const settled = () => undefined
  const messages = 200_000
  for (let n = 0; n < messages; n += 1) {
    store.append(entryOf('a', { settled }))
    if (n % 20_000 === 0) await store.safe()
  }
  await store.safe()
  let told = 0
  await store.close(() => {
    told += 1
  })
  assert.equal(told, messages)
})
