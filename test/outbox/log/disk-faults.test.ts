import assert from 'node:assert/strict'
import { test } from 'node:test'

import type { Fault } from './sim-disk.ts'
import { closeStore, entryOf, openStore, settle, take, takeAll } from './set-up.ts'

test('LogStore resumes by itself when a full disk has room again, and nothing is lost', async () => {
  const { store, disk, clock } = await openStore(undefined, { segmentBytes: 4000 })
  disk.capacity = 20_000
  let sent = 0
  while (store.hasRoom(500) && sent < 100) {
    store.append(entryOf(`m${sent}`, { bytes: 500 }))
    sent += 1
    await settle(1)
  }
  assert.equal(store.problem?.code, 'OUTBOX_FULL')
  assert.ok(sent > 10 && sent < 30, `${sent} messages`)
  clock.advance(1000)
  await settle()
  assert.equal(store.hasRoom(1), false, 'it is full as long as the disk is')
  disk.capacity = Infinity
  clock.advance(1000)
  await settle()
  assert.equal(store.problem, undefined)
  assert.equal(store.safe(), undefined)
  for (let n = 0; n < sent; n += 1) assert.equal((await take(store, 2))?.message.id, `m${n}`)
  await closeStore(store)
})

test('LogStore resumes on a full disk by what is delivered', async () => {
  const { store, disk, clock } = await openStore(undefined, { segmentBytes: 4000 })
  disk.capacity = 20_000
  let sent = 0
  while (store.hasRoom(500) && sent < 100) {
    store.append(entryOf(`m${sent}`, { bytes: 500 }))
    sent += 1
    await settle(1)
  }
  for (let n = 0; n < 15; n += 1) {
    const entry = await take(store, 2)
    assert.equal(entry?.message.id, `m${n}`)
    store.remove(entry, 'delivered')
  }
  for (let n = 0; n < 30; n += 1) {
    clock.advance(100)
    await settle()
  }
  assert.equal(store.problem, undefined)
  assert.ok(store.hasRoom(500))
  await closeStore(store)
})

const faults: readonly Fault[] = [
  { call: 'write', code: 'EIO' },
  { call: 'sync', code: 'EIO' },
  { call: 'create', code: 'ENOSPC' },
  { call: 'syncFolder', code: 'EIO' },
]
for (const fault of faults) {
  test(`LogStore writes again elsewhere after ${fault.code} of ${fault.call}, and what it reports is safe`, async () => {
    const { store, disk, clock } = await openStore(undefined, { segmentBytes: 4000 })
    store.append(entryOf('before'))
    await store.safe()
    if (fault.call === 'create' || fault.call === 'syncFolder') {
      // the next one needs a new segment
      store.append(entryOf('large', { bytes: 3500 }))
      await store.safe()
    }
    disk.faults.push(fault)
    let isSafe = false
    store.append(entryOf('a', { bytes: 1000 }))
    const safe = Promise.resolve(store.safe()).then(() => (isSafe = true))
    await settle()
    assert.equal(isSafe, false)
    assert.ok(store.problem !== undefined)
    store.append(entryOf('b', { bytes: 1000 }))
    clock.advance(1000)
    await safe
    assert.equal(store.problem, undefined)
    // nothing of what was not synced survives
    const cut = disk.afterPowerCut(() => 0)
    const again = await openStore(cut)
    const ids = (await takeAll(again.store)).waiting.flat().map(({ message }) => message.id)
    assert.deepEqual(
      ids.filter((id) => id !== 'large'),
      ['before', 'a', 'b'],
    )
    await closeStore(again.store)
    await closeStore(store)
  })
}

test('LogStore never syncs a file again whose sync failed', async () => {
  const { store, disk, clock } = await openStore()
  store.append(entryOf('a'))
  await store.safe()
  const files = [...disk.files.keys()].length
  disk.faults.push({ call: 'sync', code: 'EIO' })
  store.append(entryOf('b'))
  await settle()
  clock.advance(1000)
  await store.safe()
  assert.equal([...disk.files.keys()].length, files + 1, 'a new segment holds it')
  await closeStore(store)
})

test('LogStore takes nothing over on a disk that turns read-only, and says why', async () => {
  const { store, disk } = await openStore()
  store.append(entryOf('a'))
  await store.safe()
  disk.isReadOnly = true
  store.append(entryOf('b'))
  await settle()
  assert.equal(store.problem?.code, 'OUTBOX_FAILED')
  assert.match(store.problem?.message ?? '', /read-only/)
  assert.equal(store.refusal, store.problem)
  assert.equal(store.hasRoom(1), false)
  disk.isReadOnly = false
  await closeStore(store)
})

test('LogStore opens on a read-only disk, gives out what is there, and goes on when it can be written', async () => {
  const first = await openStore()
  const { disk } = first
  for (const id of ['a', 'b']) first.store.append(entryOf(id))
  await first.store.safe()
  await closeStore(first.store)
  disk.isReadOnly = true
  const lock = async () => {
    if (disk.isReadOnly) throw Object.assign(new Error('EROFS: simulated'), { code: 'EROFS' })
    return { release: async () => undefined }
  }
  const { store, clock } = await openStore(disk, { lock })
  assert.equal(store.refusal?.code, 'OUTBOX_FAILED')
  const entry = await take(store, 2)
  assert.equal(entry?.message.id, 'a')
  store.remove(entry, 'delivered')
  clock.advance(1000)
  await settle()
  assert.ok(store.refusal !== undefined, 'it is read-only as long as the disk is')
  disk.isReadOnly = false
  clock.advance(1000)
  await settle()
  assert.equal(store.refusal, undefined)
  store.append(entryOf('c'))
  await store.safe()
  await closeStore(store)
  const again = await openStore(disk)
  const ids = (await takeAll(again.store)).waiting.flat().map(({ message }) => message.id)
  assert.deepEqual(ids, ['b', 'c'])
  await closeStore(again.store)
})

test('LogStore writes nothing when another process changed its folder while it was read-only', async () => {
  const first = await openStore()
  const { disk } = first
  await closeStore(first.store)
  disk.isReadOnly = true
  const lock = async () => {
    if (disk.isReadOnly) throw Object.assign(new Error('EROFS: simulated'), { code: 'EROFS' })
    return { release: async () => undefined }
  }
  const { store, clock } = await openStore(disk, { lock })
  disk.isReadOnly = false
  const other = await openStore(disk)
  await closeStore(other.store)
  clock.advance(1000)
  await settle()
  assert.equal(store.problem?.code, 'OUTBOX_IN_USE')
  await closeStore(store)
})

test('LogStore reads around a place that the disk cannot read', async () => {
  const { store, disk } = await openStore()
  for (let n = 0; n < 10; n += 1) {
    store.append(entryOf(`m${n}`, { bytes: 3000 }))
    await store.safe()
  }
  await closeStore(store)
  const again = await openStore(disk)
  // the window, then one piece of it
  disk.faults.push({ call: 'read', code: 'EIO' }, { call: 'read', code: 'EIO' })
  const { waiting } = await takeAll(again.store)
  assert.ok(waiting.flat().length >= 7, `${waiting.flat().length} are left`)
  assert.equal(waiting.flat().length + again.told.damaged, 10)
  await closeStore(again.store)
})

test('LogStore tells who waits that a message never was safe when it is closed on a broken disk', async () => {
  const { store, disk, told } = await openStore()
  disk.capacity = 0
  store.append(entryOf('a'))
  const safe = Promise.resolve(store.safe())
  await settle()
  await closeStore(store)
  await assert.rejects(safe, { code: 'OUTBOX_FULL' })
  assert.equal(told.neverSafe, 1)
})
