import assert from 'node:assert/strict'
import { test } from 'node:test'

import { BackhaulError } from '../../src/contract/index.ts'
import { parseDuration } from '../../src/kit/duration.ts'
import { nearest, suggestion } from '../../src/kit/nearest.ts'

test('parseDuration() reads every unit', () => {
  const read = ['250', '250ms', '5s', '1.5m', '2h', '7d', ' 3 s '].map((text) => parseDuration(text))
  assert.deepEqual(read, [250, 250, 5000, 90_000, 7_200_000, 604_800_000, 3000])
})

test('parseDuration() refuses what is no length of time', () => {
  for (const text of ['', 'soon', '-5s', '5 parsecs', '1e3s', '99999999999999999999d']) {
    assert.throws(
      () => parseDuration(text),
      (error) =>
        error instanceof BackhaulError && error.code === 'INVALID_OPTIONS' && error.message.includes(text),
    )
  }
})

test('nearest() finds a slip, and nothing where nothing is near', () => {
  const known = ['keepAliveSeconds', 'clientId', 'qos', 'cleanStart']
  assert.equal(nearest('keepAlivSecond', known), 'keepAliveSeconds')
  assert.equal(nearest('client-id', known), 'clientId')
  assert.equal(nearest('qso', known), 'qos')
  assert.equal(nearest('password', known), undefined)
  assert.equal(suggestion('claenstart', known), ', did you mean "cleanStart"?')
  assert.equal(suggestion('zebra', known), '')
})
