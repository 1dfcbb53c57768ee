import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'

import { SignalWatch } from '../../../src/adaptors/shared/signal-watch.ts'

function listeners(signal: AbortSignal): number {
  return getEventListeners(signal, 'abort').length
}

test('SignalWatch listens once to each signal however often it is used, and tells its abort once', () => {
  const aborted: AbortSignal[] = []
  const watch = new SignalWatch((signal) => aborted.push(signal))
  const controller = new AbortController()
  for (let use = 0; use < 100; use += 1) watch.add(controller.signal)
  assert.equal(listeners(controller.signal), 1)
  controller.abort()
  assert.deepEqual(aborted, [controller.signal])
})

test('SignalWatch leaves a signal that has no use when another one comes, and all of them at its end', () => {
  const watch = new SignalWatch(() => undefined)
  const one = new AbortController().signal
  const two = new AbortController().signal
  watch.add(one)
  watch.release(one)
  assert.equal(listeners(one), 1)
  watch.add(two)
  assert.deepEqual([listeners(one), listeners(two)], [0, 1])
  watch.add(one)
  watch.release(two)
  assert.deepEqual([listeners(one), listeners(two)], [1, 0])
  watch.close()
  assert.equal(listeners(one), 0)
})
