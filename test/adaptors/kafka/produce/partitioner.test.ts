import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import {
  fnv1a,
  murmur2,
  partitionOf,
  PARTITIONERS,
} from '../../../../src/adaptors/kafka/produce/partitioner.ts'

// the values of librdkafka's own unit tests, made with the Java client and with Sarama
const VECTORS: readonly (readonly [key: string, murmur: number, fnv: number])[] = [
  ['kafka', 0xd067_cf64, 0x0d33_c4e1],
  ['giberish123456789', 0x8f55_2b0c, 0x77a5_8295],
  ['1234', 0x9fc9_7b14, 0x023b_dd03],
  ['234', 0xe7c0_09ca, 0x2dea_3cd2],
  ['34', 0x8739_30da, 0x740f_a83e],
  ['4', 0x5a4b_5ca1, 0x310c_a263],
  ['PreAmbleWillBeRemoved,ThePrePartThatIs', 0x7842_4f1c, 0x65cb_d69c],
  ['reAmbleWillBeRemoved,ThePrePartThatIs', 0x4a62_b377, 0x6e49_c79a],
  ['', 0x106e_08d9, 0x7ee3_623b],
]

test('murmur2() and fnv1a() agree with librdkafka', () => {
  for (const [key, murmur, fnv] of VECTORS) {
    assert.equal(murmur2(Buffer.from(key)) >>> 0, murmur, key)
    assert.equal(fnv1a(Buffer.from(key)), fnv, key)
  }
})

test('partitionOf() gives a partition that is there, the same for the same key', () => {
  const key = fc.option(fc.uint8Array({ maxLength: 40 }), { nil: undefined })
  const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  fc.assert(
    fc.property(
      fc.constantFrom(...PARTITIONERS),
      key,
      fc.integer({ min: 1, max: 5000 }),
      chance,
      (...args) => {
        const [partitioner, bytes, count, dice] = args
        const name = bytes && Buffer.from(bytes)
        const partition = partitionOf(partitioner, name, count, dice)
        assert.ok(Number.isInteger(partition) && partition >= 0 && partition < count)
        assert.equal(partitionOf(partitioner, name, count, dice), partition)
        const isKeyed = name !== undefined && name.length > 0
        if (isKeyed) assert.equal(partitionOf(partitioner, name, count, 1 - dice), partition)
      },
    ),
  )
})

test('partitionOf() spreads what has no key by chance, and only then', () => {
  const of = (partitioner: (typeof PARTITIONERS)[number], key: Buffer | undefined) =>
    new Set([0, 0.3, 0.6, 0.99].map((chance) => partitionOf(partitioner, key, 8, chance))).size
  assert.equal(of('consistent_random', undefined), 4)
  assert.equal(of('consistent_random', Buffer.alloc(0)), 4)
  assert.equal(of('consistent', undefined), 1)
  assert.equal(of('murmur2_random', undefined), 4)
  assert.equal(of('murmur2_random', Buffer.alloc(0)), 1)
  assert.equal(of('murmur2', undefined), 1)
  assert.equal(of('fnv1a_random', undefined), 4)
})
