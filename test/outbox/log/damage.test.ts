import assert from 'node:assert/strict'
import process from 'node:process'
import { test } from 'node:test'

import { closeStore, entryOf, holds, openStore, settle, take, takeAll } from './set-up.ts'
import type { SimDisk } from './sim-disk.ts'

const MESSAGES = 32
/** `npm run test:stress` flips those too that nothing is kept in. */
const EVERY_BYTE = process.env['EVERY_BYTE'] === '1'

/** A small store with several frames, segments, parked messages and dead letters, closed in good order. */
async function smallStore(): Promise<SimDisk> {
  const { store, disk } = await openStore(undefined, { segmentBytes: 2000 })
  for (let n = 0; n < MESSAGES; n += 1) {
    store.append(entryOf(`m${n}`, { bytes: 60, topic: n % 5 === 0 ? 'p' : 'q' }))
    if (n % 4 === 3) await store.safe()
  }
  for (let n = 0; n < 12; n += 1) {
    const entry = await take(store, 2)
    assert.ok(entry !== undefined)
    if (entry.message.topic === 'p') store.park(entry)
    else store.remove(entry, n === 1 ? 'dead' : 'delivered')
  }
  await settle()
  await closeStore(store)
  return disk
}

test('LogStore opens whatever byte is flipped, and loses one frame at most, counted', async () => {
  const disk = await smallStore()
  const whole = await openStore(disk.copy())
  const before = await takeAll(whole.store)
  const pending = [...before.waiting.flat(), ...before.parked].length
  assert.equal(pending, MESSAGES - 9)
  const opening = whole.store.opening
  await closeStore(whole.store)
  let costly = 0
  for (const [name, { data }] of disk.files) {
    for (let position = 0; position < data.length; position += 1) {
      // what lies between the two headers of a segment is not used
      if (!EVERY_BYTE && name.endsWith('.segment') && position < 1024 && position % 512 > 70) continue
      // nor the end of a cursor's block
      if (!EVERY_BYTE && name.includes('cursor') && data[position] === 0 && position > 16) continue
      const place = `${name} ${position}`
      const damaged = disk.copy()
      damaged.flip(name, position)
      const { store, told } = await openStore(damaged)
      const { waiting, parked } = await takeAll(store)
      const found = [...waiting.flat(), ...parked]
      const lost = pending - found.length
      // a frame holds four messages at most here
      assert.ok(lost <= 4, `${place} costs ${lost}`)
      assert.equal(told.damaged + store.report.damaged, lost, `${place} is counted`)
      assert.ok(holds(store.opening), place)
      assert.equal(store.opening.accepted, opening.accepted, place)
      if (lost > 0) costly += 1
      await closeStore(store)
    }
  }
  assert.ok(costly > 1000, `${costly} bytes cost something`)
})

test('LogStore goes on without a segment that is gone, or empty, and counts what was in it', async () => {
  const disk = await smallStore()
  const names = [...disk.files.keys()].filter((name) => name.includes('telemetry-'))
  assert.ok(names.length >= 3)
  for (const name of names) {
    for (const how of ['gone', 'empty', 'zeros'] as const) {
      const copy = disk.copy()
      const inode = copy.files.get(name)
      assert.ok(inode !== undefined)
      if (how === 'gone') await copy.remove(name)
      else inode.data = how === 'empty' ? Buffer.alloc(0) : Buffer.alloc(inode.data.length)
      const { store, told } = await openStore(copy)
      const { waiting, parked } = await takeAll(store)
      const found = waiting.flat().length + parked.length
      assert.equal(found + told.damaged + store.report.damaged, MESSAGES - 9, `${name} is ${how}`)
      store.append(entryOf('new'))
      await store.safe()
      assert.equal((await take(store, 2))?.message.id, 'new')
      await closeStore(store)
    }
  }
})

test('LogStore without any cursor sends everything that is there again', async () => {
  const disk = await smallStore()
  for (const name of disk.files.keys()) if (name.includes('cursor')) await disk.remove(name)
  const { store } = await openStore(disk)
  const { waiting, parked } = await takeAll(store)
  assert.ok(waiting.flat().length + parked.length >= MESSAGES - 9)
  assert.ok(holds(store.opening))
  await closeStore(store)
})
