import assert from 'node:assert/strict'
import test from 'node:test'

import { Watch } from '../../../src/cli/demo/watch.ts'

const forever = new AbortController().signal

test('until() resolves at once when the condition holds, and at the notice after it came to hold', async () => {
  const watch = new Watch()
  let count = 0
  await watch.until(() => count === 0, 'it is so', 1000, forever)
  const waiting = watch.until(() => count === 2, 'it is so', 1000, forever)
  count = 1
  watch.notify()
  count = 2
  watch.notify()
  count = 3
  await waiting
})

test('until() rejects when the time is over, and when the signal aborts', async () => {
  const watch = new Watch()
  await assert.rejects(
    watch.until(() => false, 'pigs fly', 5, forever),
    {
      code: 'TIMEOUT',
      message: 'Cannot see that pigs fly: nothing of it within 5 ms, try again',
    },
  )
  const stop = new AbortController()
  const waiting = watch.until(() => false, 'pigs fly', 60_000, stop.signal)
  const reason = new Error('enough')
  stop.abort(reason)
  await assert.rejects(waiting, reason)
  await assert.rejects(
    watch.until(() => true, 'pigs fly', 60_000, stop.signal),
    reason,
  )
})
