import assert from 'node:assert/strict'
import { test } from 'node:test'

import fc from 'fast-check'

import type { GroupMember } from '../../../../src/adaptors/kafka/consume/group-protocol.ts'
import { placeName } from '../../../../src/adaptors/kafka/consume/offsets.ts'
import { assignSticky } from '../../../../src/adaptors/kafka/consume/sticky.ts'

const TOPICS = ['a', 'b', 'c']

type Wanted = ReadonlyMap<string, readonly string[]>

const counts = fc
  .dictionary(fc.constantFrom(...TOPICS), fc.nat({ max: 12 }))
  .map((found) => new Map(Object.entries(found)))
const ids = fc.constantFrom('m1', 'm2', 'm3', 'm4', 'm5')
/** Who is there in each generation, and what they want. */
const history = fc.array(
  fc
    .uniqueArray(fc.tuple(ids, fc.subarray(TOPICS, { minLength: 1 })), {
      selector: ([id]) => id,
      minLength: 1,
    })
    .map((pairs): Wanted => new Map(pairs)),
  { minLength: 1, maxLength: 5 },
)

/** Rounds of one group, as its members live them: what each has is what it was given last. */
class Group {
  readonly #has = new Map<string, readonly string[]>()
  #generation = 0

  /** One round; gives how many partitions were given up, and checks that none has two owners. */
  round(wanted: Wanted, partitions: ReadonlyMap<string, number>): number {
    for (const id of this.#has.keys()) if (!wanted.has(id)) this.#has.delete(id)
    const members = [...wanted].map(([id, topics]): GroupMember => {
      const owned = (this.#has.get(id) ?? []).map((name) => {
        const [topic = '', index = ''] = name.split(':')
        return { topic, index: Number(index) }
      })
      return { id, topics, owned, generation: this.#generation }
    })
    const shares = assignSticky(members, partitions)
    let given = 0
    const before = new Map([...this.#has].flatMap(([id, names]) => names.map((name) => [name, id] as const)))
    for (const [id, places] of shares) {
      for (const place of places) {
        const owner = before.get(placeName(place)) ?? id
        assert.equal(owner, id, `${placeName(place)} of ${owner} was given to ${id}`)
        assert.ok(wanted.get(id)?.includes(place.topic))
      }
      const had = new Set(this.#has.get(id))
      const now = places.map(placeName)
      given += [...had].filter((name) => !now.includes(name)).length
      this.#has.set(id, now)
    }
    this.#generation += 1
    return given
  }

  /** How many each has. */
  get sizes(): readonly number[] {
    return [...this.#has.values()].map((names) => names.length)
  }

  /** All that somebody has. */
  get all(): readonly string[] {
    return [...this.#has.values()].flat()
  }
}

test('assignSticky() never gives a partition that another has, and comes to a full and even share soon', () => {
  fc.assert(
    fc.property(history, counts, (generations, partitions) => {
      const group = new Group()
      for (const wanted of generations) {
        let rounds = 1
        while (group.round(wanted, partitions) > 0) rounds += 1
        // where not all want the same, what is free may go another way than was meant
        const isAlike = new Set([...wanted.values()].map(String)).size === 1
        assert.ok(rounds <= (isAlike ? 2 : 6), `it took ${rounds} rounds`)
        if (rounds > 1) group.round(wanted, partitions)
        const topics = new Set([...wanted.values()].flat())
        const all = [...partitions].flatMap(([topic, count]) =>
          topics.has(topic) ? Array.from({ length: count }, (_, index) => `${topic}:${index}`) : [],
        )
        assert.deepEqual(group.all.toSorted(), all.toSorted())
        assert.equal(group.round(wanted, partitions), 0, 'it is not at rest')
        if ([...wanted.values()].some((own) => own.length !== topics.size)) continue
        assert.ok(Math.max(...group.sizes) - Math.min(...group.sizes) <= 1)
      }
    }),
  )
})

test('assignSticky() moves no more than it must', () => {
  const group = new Group()
  const wanted = (...names: string[]): Wanted => new Map(names.map((name) => [name, ['a']]))
  const partitions = new Map([['a', 6]])
  group.round(wanted('m1', 'm2'), partitions)
  assert.equal(group.round(wanted('m1', 'm2', 'm3'), partitions), 2)
  group.round(wanted('m1', 'm2', 'm3'), partitions)
  assert.deepEqual(group.sizes, [2, 2, 2])
  assert.equal(group.round(wanted('m1', 'm3'), partitions), 0)
  assert.deepEqual(group.sizes, [3, 3])
})

test('assignSticky() believes the later generation, and of two alike neither', () => {
  const member = (id: string, generation: number): GroupMember => ({
    id,
    topics: ['a'],
    owned: [{ topic: 'a', index: 0 }],
    generation,
  })
  const partitions = new Map([['a', 1]])
  const later = assignSticky([member('m1', 1), member('m2', 2)], partitions)
  assert.deepEqual([later.get('m1'), later.get('m2')], [[], [{ topic: 'a', index: 0 }]])
  const alike = assignSticky([member('m1', 2), member('m2', 2)], partitions)
  assert.equal([...alike.values()].flat().length, 1)
})
