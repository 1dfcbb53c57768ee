import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { test } from 'node:test'

import fc from 'fast-check'

import type { Entry } from '../../../src/outbox/entry.ts'
import { SimDisk } from './sim-disk.ts'
import { closeStore, entryOf, openStore, settle, take, takeAll, takeParked } from './set-up.ts'

/** Large enough that only some of what is parked is held in memory, which are 4 MiB. */
const BYTES = 256 * 1024
const TOPICS = ['a', 'b'] as const

const steps = fc.array(
  fc.oneof(
    fc.record({
      what: fc.constantFrom('send' as const, 'take' as const, 'delivered' as const, 'refused' as const),
      topic: fc.constantFrom(...TOPICS),
      count: fc.integer({ min: 1, max: 12 }),
    }),
    fc.record({ what: fc.constantFrom('cursor' as const, 'turn' as const, 'turn' as const) }),
  ),
  { minLength: 20, maxLength: 120, size: 'max' },
)

test('LogStore keeps what is parked, in its order, whatever is taken and put back while files are emptied', async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.integer({ min: 0, max: 3 }), async (plan, syncTurns) => {
      const disk = new SimDisk()
      disk.syncTurns = syncTurns
      const { store, clock, told } = await openStore(disk, { segmentBytes: 1024 * 1024 })
      const parked = new Map<string, string[]>(TOPICS.map((topic) => [topic, []]))
      const taken = new Map<string, Entry[]>(TOPICS.map((topic) => [topic, []]))
      let serial = 0
      for (const step of plan) {
        if (step.what === 'cursor') clock.advance(100)
        if (step.what === 'turn') await turn()
        if ('topic' in step) {
          const { topic, count } = step
          const ids = parked.get(topic) ?? []
          const hand = taken.get(topic) ?? []
          for (let n = 0; n < count; n += 1) {
            if (step.what === 'send') {
              const id = `m${(serial += 1)}`
              store.append(entryOf(id, { bytes: BYTES, topic }))
              await store.safe()
              const entry = await take(store, 2)
              assert.ok(entry?.message.id === id)
              store.park(entry)
              ids.push(id)
            } else if (step.what === 'take') {
              if (store.peekParked(2, topic) === undefined) continue
              const entry = store.takeParked(2, topic)
              assert.ok(entry !== undefined)
              assert.equal(entry.message.id, ids.shift(), 'in their order')
              hand.push(entry)
            } else {
              const entry = step.what === 'delivered' ? hand.shift() : hand.pop()
              if (entry === undefined) break
              if (step.what === 'delivered') store.remove(entry, 'delivered')
              else {
                store.park(entry)
                ids.unshift(entry.message.id)
              }
            }
          }
        }
      }
      assert.equal(told.damaged, 0)
      await settle(30)
      const left = [
        ...parked.values(),
        ...[...taken.values()].map((entries) => entries.map(({ message }) => message.id)),
      ]
      const expected = left.flat().toSorted()
      await closeStore(store)
      const again = await openStore(disk)
      const found = (await takeAll(again.store, () => settle(3))).parked.map(({ message }) => message.id)
      assert.deepEqual(found.toSorted(), expected)
      assert.equal(again.told.damaged, 0)
      await closeStore(again.store)
    }),
    { numRuns: 30 },
  )
})

test('LogStore loses nothing and keeps no copy when a message is tried and refused again while its file is emptied', async () => {
  const disk = new SimDisk()
  const { store, clock, told } = await openStore(disk, { segmentBytes: 10_000 })
  const park = async (id: string, topic: string) => {
    store.append(entryOf(id, { bytes: 1000, topic }))
    await store.safe()
    const entry = await take(store, 2)
    assert.ok(entry !== undefined)
    store.park(entry)
    await settle()
  }
  await park('stays', 'stays')
  let tried = 0
  const open = disk.open.bind(disk)
  disk.open = async (path, mode) => {
    const file = await open(path, mode)
    // the file is about to be read, for its copies
    if (mode === 'read' && store.peekParked(2, 'stays') !== undefined) {
      const entry = store.takeParked(2, 'stays')
      assert.ok(entry !== undefined)
      store.park(entry)
      tried += 1
    }
    return file
  }
  for (let n = 0; n < 100; n += 1) {
    await park(`${n}`, 'goes')
    const entry = await takeParked(store, 2, 'goes')
    assert.ok(entry !== undefined)
    store.remove(entry, 'delivered')
    clock.advance(100)
    await settle()
  }
  assert.ok(tried > 0)
  const entry = await takeParked(store, 2, 'stays')
  assert.equal(entry?.message.id, 'stays')
  store.remove(entry, 'delivered')
  await settle(10)
  await closeStore(store)
  const again = await openStore(disk)
  assert.deepEqual([again.store.opening.pending, again.store.opening.delivered], [0, 101])
  assert.equal(told.damaged, 0)
  await closeStore(again.store)
})
