import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import {
  assign,
  ASSIGNORS,
  readAssignment,
  readSubscription,
  writeAssignment,
  writeSubscription,
} from '../../../../src/adaptors/kafka/consume/group-protocol.ts'
import { placeName } from '../../../../src/adaptors/kafka/consume/offsets.ts'

const TOPICS = ['a', 'b', 'c', 'ü']

const groups = fc.record({
  assignor: fc.constantFrom(...ASSIGNORS),
  members: fc.uniqueArray(
    fc.record({ id: fc.string({ minLength: 1, maxLength: 8 }), topics: fc.subarray(TOPICS) }),
    { selector: ({ id }) => id, minLength: 1, maxLength: 12 },
  ),
  counts: fc.dictionary(fc.constantFrom(...TOPICS), fc.nat({ max: 20 })),
})

test('assign() gives each partition to one member that wants its topic, evenly', () => {
  fc.assert(
    fc.property(groups, ({ assignor, members, counts }) => {
      const shares = assign(assignor, members, new Map(Object.entries(counts)))
      const given = [...shares.values()].flat().map(placeName)
      const wanted = new Set(members.flatMap(({ topics }) => topics))
      const all = [...wanted].flatMap((topic) =>
        Array.from({ length: counts[topic] ?? 0 }, (_, index) => placeName({ topic, index })),
      )
      assert.deepEqual(given.toSorted(), all.toSorted())
      for (const { id, topics } of members) {
        for (const { topic } of shares.get(id) ?? []) assert.ok(topics.includes(topic))
      }
      if (members.some(({ topics }) => topics.length !== 1 || topics[0] !== 'a')) return
      const sizes = members.map(({ id }) => shares.get(id)?.length ?? 0)
      assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1)
    }),
  )
})

test('assign() of ranges does what the Java client does', () => {
  const members = ['m2', 'm1'].map((id) => ({ id, topics: ['t'] }))
  const shares = assign('range', members, new Map([['t', 3]]))
  assert.deepEqual(
    shares.get('m1')?.map(({ index }) => index),
    [0, 1],
  )
  assert.deepEqual(
    shares.get('m2')?.map(({ index }) => index),
    [2],
  )
})

test('subscriptions and assignments come back as they were written', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme' })), (topics) => {
      assert.deepEqual(readSubscription(writeSubscription(topics)), topics)
    }),
  )
  fc.assert(
    fc.property(groups, ({ assignor, members, counts }) => {
      for (const places of assign(assignor, members, new Map(Object.entries(counts))).values()) {
        assert.deepEqual(readAssignment(writeAssignment(places)), places)
      }
    }),
  )
  assert.deepEqual(readAssignment(Buffer.alloc(0)), [])
})
