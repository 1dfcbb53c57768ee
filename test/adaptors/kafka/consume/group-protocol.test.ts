import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import type { GroupMember } from '../../../../src/adaptors/kafka/consume/group-protocol.ts'
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
  assignor: fc.constantFrom(...ASSIGNORS.cooperative),
  members: fc.uniqueArray(
    fc
      .record({ id: fc.string({ minLength: 1, maxLength: 8 }), topics: fc.subarray(TOPICS) })
      .map((member): GroupMember => ({ ...member, owned: [], generation: -1 })),
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
  const members = ['m2', 'm1'].map((id) => ({ id, topics: ['t'], owned: [], generation: -1 }))
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
  const owned = fc.array(fc.record({ topic: fc.constantFrom(...TOPICS), index: fc.nat({ max: 9 }) }), {
    maxLength: 9,
  })
  const subscription = fc.record({
    topics: fc.array(fc.string({ unit: 'grapheme' })),
    owned: owned.map((places) =>
      places.toSorted((a, b) => (a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : 0)),
    ),
    generation: fc.integer({ min: -1, max: 1000 }),
  })
  fc.assert(
    fc.property(subscription, (said) => {
      const read = readSubscription(writeSubscription(said))
      assert.deepEqual(
        { ...read, owned: read.owned.map(placeName).toSorted() },
        { ...said, owned: said.owned.map(placeName).toSorted() },
      )
    }),
  )
  fc.assert(
    fc.property(groups, ({ assignor, members, counts }) => {
      for (const places of assign(assignor, members, new Map(Object.entries(counts))).values()) {
        assert.deepEqual(
          readAssignment(writeAssignment(places)).map(placeName).toSorted(),
          places.map(placeName).toSorted(),
        )
      }
    }),
  )
  assert.deepEqual(readAssignment(Buffer.alloc(0)), [])
})
