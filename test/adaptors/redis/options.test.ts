import assert from 'node:assert/strict'
import { test } from 'node:test'

import { redis } from '../../../src/adaptors/redis/index.ts'
import { BackhaulError } from '../../../src/contract/index.ts'
import type { ErrorCode } from '../../../src/contract/index.ts'
import { parseAddress } from '../../../src/kit/address.ts'

const read = (address: string, config: Readonly<Record<string, unknown>> = {}) =>
  redis.options(parseAddress(address), config)

test('options() reads hosts, ports and the database of an address', () => {
  const { scheme, hosts, database } = read('rediss://a,[::1]:6380/7')
  assert.deepEqual(
    { scheme, hosts, database },
    {
      scheme: 'rediss',
      hosts: [
        { host: 'a', port: 6379 },
        { host: '::1', port: 6380 },
      ],
      database: 7,
    },
  )
  assert.equal(read('redis://a/').database, 0)
})

test('options() reads options of the query and of the block', () => {
  const options = read('redis://a?maxStreamLength=1000&claimIdleMs=5s', {
    consumer: 'edge-1',
    start: 'earliest',
  })
  const { maxStreamLength, claimIdleMs, consumer, start, payloadField } = options
  assert.deepEqual([maxStreamLength, claimIdleMs, consumer, start], [1000, 5000, 'edge-1', 'earliest'])
  assert.equal(payloadField, 'metadata')
})

test('options() names a consumer anew for each connection, and leaves that out of the signature', () => {
  const [one, two] = [read('redis://a'), read('redis://a')]
  assert.match(one.uniqueConsumer, /^backhaul-.+-[0-9a-f]{12}$/)
  assert.notEqual(one.uniqueConsumer, two.uniqueConsumer)
  assert.equal(redis.signature(one), redis.signature(two))
})

const MISTAKES: readonly (readonly [string, Readonly<Record<string, unknown>>, ErrorCode, RegExp])[] = [
  ['redis://a/x', {}, 'INVALID_ADDRESS', /with the number of a database as path/],
  ['redis:a', {}, 'INVALID_ADDRESS', /write it as rediss:\/\/host:6379/],
  ['redis://a', { maxStreamLenght: 5 }, 'INVALID_OPTIONS', /did you mean "maxStreamLength"\?/],
  ['redis://a', { maxStreamLength: 0 }, 'INVALID_OPTIONS', /"maxStreamLength" must/],
  ['redis://a?start=latest', { start: 'earliest' }, 'INVALID_OPTIONS', /"start" is given in the address and/],
  ['redis://a', { keyField: 'id' }, 'INVALID_OPTIONS', /two of payloadField, .* are "id", give each its own/],
  ['redis://a', { payloadField: '' }, 'INVALID_OPTIONS', /"payloadField" must/],
  ['redis://a', { clientName: 'a b' }, 'INVALID_OPTIONS', /"clientName" must be of printable ASCII/],
]

for (const [address, config, code, says] of MISTAKES) {
  test(`options() refuses ${address} with ${JSON.stringify(config)}`, () => {
    assert.throws(
      () => read(address, config),
      (error) => {
        assert.ok(error instanceof BackhaulError)
        assert.equal(error.code, code)
        assert.match(error.message, says)
        return true
      },
    )
  })
}
